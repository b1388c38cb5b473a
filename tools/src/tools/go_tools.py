"""`python -m tools.go_tools [name ...]`: build the Go programs of checks, as tools/go/go.mod pins them, into .local/go-tools."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.steps import ROOT

MODULE = ROOT / "tools" / "go"
BUILT = ROOT / ".local" / "go-tools"


def packages() -> Mapping[str, str]:
    """The programs of the module, by the name that they are called by: the package of each."""
    text = (MODULE / "go.mod").read_text()
    block = re.search(r"^tool \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    found = block[1].split() if block else re.findall(r"^tool (\S+)$", text, re.MULTILINE)
    return {package.rpartition("/")[2]: package for package in found}


def go_tool(name: str) -> Path | None:
    """The program, built when it is not there or older than the module's versions; None where Go is not installed."""
    program = BUILT / name
    if program.is_file() and program.stat().st_mtime >= (MODULE / "go.sum").stat().st_mtime:
        return program
    go = shutil.which("go")
    if go is None:
        return None
    BUILT.mkdir(parents=True, exist_ok=True)
    # Built aside and moved, so that of two who build at once neither runs the other's half.
    aside = BUILT / f".{name}.{os.getpid()}"
    flags = {"GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
    command = [go, "build", "-trimpath", "-o", str(aside), packages()[name]]
    subprocess.run(command, cwd=MODULE, env={**os.environ, **flags}, check=True)
    return aside.replace(program)


def main(names: list[str]) -> int:
    """Build these programs, or all; 1 where Go is not installed."""
    for name in names or packages():
        program = go_tool(name)
        if program is None:
            print("go-tools: Go is not on the PATH; the checks that need these programs are skipped without it", file=sys.stderr)
            return 1
        print(f"{name:<12} {program.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
