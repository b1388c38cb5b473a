"""`python -m tools.terraform.schemas FOLDER [check]`: what providers take, read from wheels that were made from their schemas.

Only the types that the modules use are kept, in terraform/schemas; the wheels are parsed and never imported.
"""

import ast
import json
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.steps import ROOT
from tools.terraform.modules import META_ARGUMENTS, Block, Body, arguments, folders, read_module

FOLDER = ROOT / "terraform/schemas"
PROVIDERS = ("google", "confluent")
# Of an argument: whether it must be there, and what stands in it when it is a block.
Schema = Mapping[str, Any]
_TERRAFORM_NAME = re.compile(r"#([a-z0-9_]+) \w+#")


def used(provider: str) -> list[Block]:
    """Every resource and data source of a provider in the modules."""
    return [block for folder in folders() for block in read_module(folder).blocks if block.type.startswith(f"{provider}_")]


def faults(block: Block, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """What of a block its provider does not know or misses."""
    schema = schemas.get(f"{block.kind}.{block.type}")
    if schema is None:
        yield f"{block.type}: no such {block.kind}"
        return
    yield from _body_faults(block.body, schema, f"{block.type}.{block.name}")


def _body_faults(body: Body, schema: Schema, place: str) -> Iterator[str]:
    given = [(name, blocks) for name, blocks in arguments(body) if name not in META_ARGUMENTS]
    for name, blocks in given:
        if name not in schema:
            yield f"{place}: no argument {name}"
            continue
        for block in blocks or ():
            if schema[name]["block"] is None:
                yield f"{place}: {name} is no block"
            else:
                yield from _body_faults(block, schema[name]["block"], f"{place}.{name}")
    for name in sorted({name for name, row in schema.items() if row["required"]} - {name for name, _ in given}):
        yield f"{place}: {name} is missing"


def google(site: Path) -> dict[str, Schema]:
    """The schemas of what is used of Google's provider, from the description of the wheel's types."""
    [archive] = site.glob("cdktf_cdktf_provider_google/_jsii/*.tgz")
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/.jsii")
        if member is None:
            raise FileNotFoundError(f"{archive}: no description of types")
        types = json.load(member)["types"]
    return {f"{block.kind}.{block.type}": _google_type(types, block) for block in used("google")}


def _google_type(types: Mapping[str, Any], block: Block) -> Schema:
    words = block.type.removeprefix("google_").split("_")
    words = ["data", "google", *words] if block.kind == "data" else words
    name = "".join(word.capitalize() for word in words)
    return _google_properties(types, f"@cdktf/provider-google.{name[0].lower()}{name[1:]}.{name}Config")


def _google_properties(types: Mapping[str, Any], type_name: str) -> Schema:
    schema = {}
    for row in types[type_name].get("properties", []):
        docs = json.dumps(row.get("docs", {}))
        if found := _TERRAFORM_NAME.search(docs):
            nested = next((name for name in _type_names(row["type"]) if name in types and name != type_name), None)
            block = _google_properties(types, nested) if nested else None
            schema[found.group(1)] = {"required": not row.get("optional", False), "block": block}
    return schema


def _type_names(kind: Any) -> Iterator[str]:
    if isinstance(kind, dict):
        if "fqn" in kind:
            yield kind["fqn"]
        for each in kind.values():
            yield from _type_names(each)
    elif isinstance(kind, list):
        for each in kind:
            yield from _type_names(each)


def confluent(site: Path) -> dict[str, Schema]:
    """The schemas of what is used of Confluent's provider, from the signatures in the wheel."""
    package = site / "pulumi_confluentcloud"
    nested = _signatures(package / "_inputs.py")
    return {f"{block.kind}.{block.type}": _confluent_type(package, nested, block) for block in used("confluent")}


def _confluent_type(package: Path, nested: Mapping[str, ast.arguments], block: Block) -> Schema:
    name = block.type.removeprefix("confluent_")
    signatures = _signatures(package / f"{'get_' if block.kind == 'data' else ''}{name}.py")
    wanted = f"get_{name}" if block.kind == "data" else "".join(word.capitalize() for word in name.split("_")) + "Args"
    return _parameters(signatures[wanted], nested)


def _signatures(path: Path) -> dict[str, ast.arguments]:
    """The parameters of each function and of each class's constructor."""
    found: dict[str, ast.arguments] = {}
    for node in ast.parse(path.read_text()).body:
        functions = [node, *(node.body if isinstance(node, ast.ClassDef) else ())]
        for each in functions:
            if isinstance(each, ast.FunctionDef) and (each is node or each.name == "__init__"):
                found.setdefault(node.name if isinstance(node, ast.ClassDef) else each.name, each.args)
    return found


def _parameters(signature: ast.arguments, nested: Mapping[str, ast.arguments]) -> Schema:
    rows = [*zip(signature.kwonlyargs, signature.kw_defaults, strict=True)]
    # Data sources are functions, all of whose parameters have a default.
    rows += [(parameter, ast.Constant(None)) for parameter in signature.args if parameter.arg not in {"__self__", "opts"}]
    schema = {}
    for parameter, default in rows:
        annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
        inner = next((name for name in re.findall(r"\w+Args\b", annotation) if name in nested), None)
        schema[parameter.arg] = {"required": default is None, "block": _parameters(nested[inner], nested) if inner else None}
    return schema


def committed(provider: str) -> dict[str, Schema]:
    """The schemas as they lie in the repository."""
    content: dict[str, Schema] = json.loads((FOLDER / f"{provider}.json").read_text())
    return content


def main(site: Path, *, check: bool) -> int:
    """Write the schemas, or say which of them are not what the wheels say; the exit status."""
    texts = {
        name: json.dumps(read(site), indent=1, sort_keys=True) + "\n"
        for name, read in (("google", google), ("confluent", confluent))
    }
    stale = [
        name
        for name, text in texts.items()
        if not (FOLDER / f"{name}.json").is_file() or (FOLDER / f"{name}.json").read_text() != text
    ]
    if check:
        print(
            "\n".join(f"terraform/schemas/{name}.json: run make terraform-schemas" for name in stale)
            or "Schemas are the wheels' own."
        )
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts.items():
        (FOLDER / f"{name}.json").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), check=sys.argv[2:] == ["check"]))
