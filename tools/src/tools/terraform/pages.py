"""docs/terraform.md and docs/cost.md: what each module takes and gives, and what a cell costs, inside pages written by people."""

import re

from tools.steps import ROOT
from tools.terraform.cost import read_prices, tables
from tools.terraform.modules import Module, folders, read_module

MODULES, COST = "docs/terraform.md", "docs/cost.md"
_BLOCK = re.compile(r"(<!-- generated [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def reference() -> str:
    """Inputs and outputs of every module and root, as Markdown."""
    return "\n\n".join(_section(read_module(folder)) for folder in folders())


def _section(module: Module) -> str:
    lines = [f"### {module.path.removeprefix('terraform/')}"]
    if module.inputs:
        lines += ["", "| input | what it is | may be left out | checked |", "|---|---|---|---|"]
    for name, body in module.inputs.items():
        left_out = "yes" if "default" in body else ""
        checked = " ".join(str(rule["error_message"]) for rule in body.get("validation", []))
        lines.append(f"| `{name}` | {body['description']} | {left_out} | {checked} |")
    lines += ["", "| output | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {body['description']} |" for name, body in module.outputs.items()]
    return "\n".join(lines)


def generated() -> dict[str, str]:
    """Each page with its tables as they should be."""
    return {MODULES: _filled(MODULES, reference()), COST: _filled(COST, tables(read_prices()))}


def _filled(path: str, text: str) -> str:
    return _BLOCK.sub(lambda found: f"{found.group(1)}\n{text}\n\n{found.group(2)}", (ROOT / path).read_text())
