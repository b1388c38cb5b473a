"""The HCL of a folder as plain Python: its inputs, outputs, resources and calls of other modules, with names unquoted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools.steps import ROOT

FOLDER = ROOT / "terraform"
_NOT_ARGUMENTS = frozenset({"__is_block__", "__comments__", "__inline_comments__"})
META_ARGUMENTS = frozenset({"for_each", "count", "provider", "providers", "depends_on", "lifecycle", "source", "version"})

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Block:
    """A resource or a data source: which of the two, its type, its name and what stands in it."""

    kind: str
    type: str
    name: str
    body: Body


@dataclass(frozen=True, slots=True)
class Module:
    """What one folder of HCL declares."""

    path: str
    text: str
    inputs: Mapping[str, Body]
    outputs: Mapping[str, Body]
    calls: Mapping[str, Body]
    blocks: tuple[Block, ...]


def folders() -> list[Path]:
    """Every module and every root, modules first."""
    return [*sorted((FOLDER / "modules").glob("*/")), *sorted((FOLDER / "environments").glob("*/"))]


@cache
def read_module(folder: Path) -> Module:
    """Parse all .tf files of a folder; raises the parser's error for text that is no HCL."""
    import hcl2

    files = sorted(folder.glob("*.tf"))
    text = "\n".join(path.read_text() for path in files)
    content: dict[str, list[Any]] = {}
    for path in files:
        for kind, blocks in _clean(hcl2.loads(path.read_text())).items():
            content.setdefault(kind, []).extend(blocks)
    return Module(
        path=str(folder.relative_to(ROOT)) if folder.is_relative_to(ROOT) else folder.name,
        text=text,
        inputs=_named(content.get("variable", [])),
        outputs=_named(content.get("output", [])),
        calls=_named(content.get("module", [])),
        blocks=tuple(_blocks(content)),
    )


def arguments(body: Body) -> Iterator[tuple[str, list[Body] | None]]:
    """Each argument of a block with the blocks that stand there by that name, dynamic ones too; None for a plain value."""
    for name, value in body.items():
        if name == "dynamic":
            for dynamic in value:
                for label, inner in dynamic.items():
                    yield label, inner["content"]
        elif isinstance(value, list) and value and all(_is_block(each) for each in value):
            yield name, value
        elif name not in _NOT_ARGUMENTS:
            yield name, None


def _blocks(content: Mapping[str, list[Any]]) -> Iterator[Block]:
    for kind in ("resource", "data"):
        for typed in content.get(kind, []):
            for kind_of_thing, named in typed.items():
                for name, body in named.items():
                    yield Block(kind, kind_of_thing, name, body)


def _named(blocks: list[Any]) -> dict[str, Body]:
    return {name: body for block in blocks for name, body in block.items() if name not in _NOT_ARGUMENTS}


def _is_block(value: object) -> bool:
    return isinstance(value, Mapping) and "__is_block__" in value


def _clean(value: Any) -> Any:
    """The parser keeps quotation marks around texts and labels; nobody here needs them."""
    if isinstance(value, dict):
        return {key.strip('"'): _clean(each) for key, each in value.items() if key not in _NOT_ARGUMENTS - {"__is_block__"}}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value
