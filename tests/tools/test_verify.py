"""`make test` runs everything: each folder of tests in one of its lanes, each row of the fault matrix in another."""

from tests.faults.rows import ROWS

from tools.steps import ROOT
from tools.verify import FAULTS, HALVES

# The first is a step of the checks, the second a target of its own: it builds images.
ELSEWHERE = {"tests/architecture", "tests/images"}


def test_every_row_of_the_fault_matrix_is_run_once():
    assert sorted(row for rows in FAULTS.values() for row in rows.split(",")) == sorted(ROWS)


def test_every_test_is_in_one_lane():
    lanes = [folder for folders in HALVES.values() for folder in folders]
    groups = [ROOT / name for name in ("libs", "services", "deploy", "tests")]
    files = [str(path.relative_to(ROOT)) for group in groups for path in group.rglob("test_*.py") if ".local" not in path.parts]
    assert len(files) > 200
    found = {file: [folder for folder in (*lanes, *ELSEWHERE) if file.startswith(f"{folder}/")] for file in files}
    assert {file: folders for file, folders in found.items() if len(folders) != 1} == {}
