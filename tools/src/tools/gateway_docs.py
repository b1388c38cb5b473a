"""`python -m tools.gateway_docs write|check`: the tables of docs/gateway.md, from the gateway's own table."""

import re
import sys

from gateway import load_table
from tools.generated import run_generator
from tools.steps import ROOT

PATH = "docs/gateway.md"
_BLOCK = re.compile(r"(<!-- generated [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> str:
    """Routes, rate limits, sizes and the gateway's own problems as Markdown."""
    table = load_table()
    bodies = {row.name: f"{row.body_bytes:,}" if row.body_bytes else "" for row in table.routes}
    routes = [f"| `{row.template}` | {row.upstream} | {row.access} | {row.limit} | {bodies[row.name]} |" for row in table.routes]
    limits = [f"| {name} | {limit.requests} | {limit.seconds} s |" for name, limit in table.limits.items()]
    sizes = [f"| {name.replace('_', ' ')} | {value:,} |" for name, value in {**table.sizes, **table.capacity}.items()]
    problems = [f"| {row.status} | `{row.slug}` | {row.title} |" for row in table.problems]
    return "\n\n".join(
        "\n".join(lines)
        for lines in (
            ["| path | service | access | limit | own body bytes |", "|---|---|---|---|---|", *routes],
            ["| limit | requests in a row | given back over |", "|---|---|---|", *limits],
            ["| size | value |", "|---|---|", *sizes],
            ["| status | problem | title |", "|---|---|---|", *problems],
        )
    )


def generated() -> dict[str, str]:
    """The path below the root and the text of the page with its tables as they should be."""
    page = (ROOT / PATH).read_text()
    return {PATH: _BLOCK.sub(lambda found: f"{found.group(1)}\n{tables()}\n\n{found.group(2)}", page)}


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
