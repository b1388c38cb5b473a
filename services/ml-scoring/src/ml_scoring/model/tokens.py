"""The tokenizer of a model: a text's own tokens, and the marks that the model expects around them."""

from __future__ import annotations

from tokenizers import Tokenizer

from ml_scoring.domain.models import ModelUnusable
from ml_scoring.model.package import TOKENIZER

_PROBE = "hello"
_UNKNOWN = ("<unk>", "[UNK]")


class Tokens:
    """WordPiece, Unigram or whatever else a tokenizer.json describes; any number of threads may use it at once."""

    def __init__(self, content: bytes) -> None:
        """Read a tokenizer.json; raises ModelUnusable when it is none, or one that pads or truncates."""
        self._tokenizer = _tokenizer_of(content)
        self._before, self._after = _marks_around(self._tokenizer)
        added = self._tokenizer.get_added_tokens_decoder()
        unknown = [number for number, token in added.items() if token.content in _UNKNOWN]
        self._unknown = unknown[:1]
        self._marks = frozenset(number for number, token in added.items() if token.special).difference(unknown)

    @property
    def marks(self) -> int:
        """How many tokens are put around a text."""
        return len(self._before) + len(self._after)

    def of(self, text: str) -> list[int]:
        """The text's own tokens; a mark that somebody typed is an unknown word, or it would end the text for the model."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self._marks.isdisjoint(ids):
            return ids
        return [token for each in ids for token in (self._unknown if each in self._marks else [each])]

    def between_marks(self, ids: list[int]) -> list[int]:
        """Some of a text's tokens as the model expects them."""
        return [*self._before, *ids, *self._after]

    def filler(self, length: int) -> list[int]:
        """So many tokens of some text."""
        return (self.of(_PROBE) * length)[:length]


def _tokenizer_of(content: bytes) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(content.decode())
    except Exception:
        # The library raises bare Exceptions; their text may repeat the file.
        raise ModelUnusable(f"{TOKENIZER} is not a tokenizer") from None
    if tokenizer.padding is not None or tokenizer.truncation is not None:
        raise ModelUnusable(f"{TOKENIZER} pads or truncates: both must be off, or text would be dropped in silence")
    tokenizer.encode_special_tokens = True
    return tokenizer


def _marks_around(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    bare = tokenizer.encode(_PROBE, add_special_tokens=False).ids
    whole = tokenizer.encode(_PROBE).ids
    for start in range(len(whole) - len(bare) + 1):
        if bare and whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    raise ModelUnusable(f"{TOKENIZER} does not put its marks around the text")
