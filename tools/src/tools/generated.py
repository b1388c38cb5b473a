"""What every generator's command line does: write the files, or fail where they are not what would be written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.steps import ROOT


def run_generator(generated: Callable[[], Mapping[str, str]], arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Run `write` or `check` over files given as path below the root and text; return the exit status."""
    if list(arguments) not in (["write"], ["check"]):
        print("say write or check")
        return 2
    files = generated()
    stale = [path for path, text in files.items() if not _is_current(root / path, text)]
    if arguments[0] == "check":
        print("\n".join(f"{path}: run make events" for path in stale) or "Nothing to do.")
        return 1 if stale else 0
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    print("\n".join(f"Wrote {path}." for path in stale) or "Nothing to do.")
    return 0


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text
