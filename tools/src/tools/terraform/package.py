"""`python -m tools.terraform.package`: the archive of the lab results' function, the same bytes for the same code."""

import sys
import zipfile
from pathlib import Path

from tools.steps import ROOT

SOURCE = ROOT / "deploy/lab-results/src"
ARCHIVE = ROOT / "deploy/lab-results/dist/lab-results.zip"
# The first moment that a zip archive can name: the time of building must not change the archive's hash.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def write(archive: Path) -> Path:
    """Put the function's modules into an archive that Lambda can read."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(SOURCE.rglob("*.py")):
            entry = zipfile.ZipInfo(str(path.relative_to(SOURCE)), _NO_TIME)
            entry.external_attr = 0o644 << 16
            file.writestr(entry, path.read_bytes())
    return archive


if __name__ == "__main__":
    print(f"Wrote {write(ARCHIVE).relative_to(ROOT)}.")
    sys.exit(0)
