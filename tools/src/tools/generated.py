"""What every generator's command line does: write the files, or fail where they are not what would be written."""

from collections.abc import Callable, Mapping, Sequence

from tools.steps import ROOT


def run_generator(generated: Callable[[], Mapping[str, str]], arguments: Sequence[str]) -> int:
    """Run `write` or `check` over files given as path below the root and text; return the exit status."""
    if list(arguments) not in (["write"], ["check"]):
        print("say write or check")
        return 2
    files = generated()
    stale = [path for path, text in files.items() if not _is_current(path, text)]
    if arguments[0] == "check":
        print("\n".join(f"{path}: run make events" for path in stale) or "Nothing to do.")
        return 1 if stale else 0
    for path, text in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
    print("\n".join(f"Wrote {path}." for path in stale) or "Nothing to do.")
    return 0


def _is_current(path: str, text: str) -> bool:
    return (ROOT / path).is_file() and (ROOT / path).read_text() == text
