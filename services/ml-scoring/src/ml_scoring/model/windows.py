"""Windows: a text longer than the model reads at once is cut into overlapping pieces that together cover all of it."""

from __future__ import annotations


def spans(length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """The pieces, as start and end, that cover `length` tokens with pieces of `size` that share at least `overlap` tokens.

    The last piece is as long as the others: it begins earlier rather than show the model half a sentence.
    """
    if not 0 <= overlap < size:
        raise ValueError("windows must overlap by less than their size")
    if length <= size:
        return [(0, length)]
    starts = [*range(0, length - size, size - overlap), length - size]
    return [(start, start + size) for start in starts]
