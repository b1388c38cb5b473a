"""`python -m tools.event_docs write|check`: generate the event contract's files, or fail where they are not what would be.

`write` refuses a schema that drops or changes a field of a committed one; `write --replace TYPE` overrules that for a
type that nobody reads yet.
"""

import argparse
import sys
from pathlib import Path

import yaml

from tools.event_docs import asyncapi
from tools.event_docs.compatibility import baselines, incompatibilities
from tools.event_docs.examples import example_faults
from tools.event_docs.generated import ASYNCAPI, event_schemas, generated_files, misplaced_files, rewrite, stale_files
from tools.steps import ROOT


def refusals(root: Path, replaced: frozenset[str] = frozenset()) -> list[str]:
    """What the classes break in the contract as it stands on disk and in the last commit, one sentence each."""
    schemas = event_schemas()
    found = (incompatibilities(committed, schemas) for committed in baselines(root))
    return sorted({sentence for broken in found for type_, sentence in broken if type_ not in replaced})


def write(root: Path, replaced: frozenset[str] = frozenset()) -> list[str]:
    """Write every generated file unless the contract is broken; return what is wrong."""
    broken = refusals(root, replaced)
    if not broken:
        rewrite(root, generated_files(root))
    return broken or example_faults(root)


def check(root: Path) -> list[str]:
    """Return what differs from what would be generated, what breaks the contract, and which examples are wrong."""
    files = generated_files(root)
    stale = [f"{path}: run make events" for path in stale_files(root, files)]
    invalid = asyncapi.faults(yaml.safe_load(files[ASYNCAPI]))
    return refusals(root) + stale + misplaced_files(root) + example_faults(root) + invalid


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run `write` or `check`, print what is wrong, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.event_docs", description=__doc__)
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("--replace", metavar="TYPE", action="append", default=[], help="a wire type that nobody reads yet")
    chosen = parser.parse_args(arguments)
    wrong = write(root, frozenset(chosen.replace)) if chosen.action == "write" else check(root)
    print("\n".join(wrong) or "The event contract, its examples and its documents agree.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
