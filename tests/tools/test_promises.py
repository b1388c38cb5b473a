"""The list of promises cannot say more than the tests show."""

from pathlib import Path

import pytest

from tools import promises

ROW = '[[promise]]\nid = "{id}"\ntext = "It holds."\nstate = "{state}"\n'
TEST = 'import pytest\n\n\n@pytest.mark.promise("{id}")\ndef test_it():\n    assert 1\n'


def repository(tmp_path: Path, *, state: str, shown: str | None) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests/promises.toml").write_text(ROW.format(id="AU3", state=state))
    if shown:
        (tmp_path / "tests/test_it.py").write_text(TEST.format(id=shown))
    return tmp_path


def test_a_done_promise_with_a_test_passes_and_stands_on_the_page(tmp_path):
    root = repository(tmp_path, state="done", shown="AU3")
    assert promises.main("write", root) == 0
    assert promises.main("check", root) == 0
    assert "`tests/test_it.py::test_it`" in (root / "docs/promises.md").read_text()


@pytest.mark.parametrize(("state", "shown"), [("done", None), ("now", "AU99")], ids=["done-without-test", "unknown-id"])
def test_a_hollow_or_unknown_promise_fails_the_check(tmp_path, state, shown):
    root = repository(tmp_path, state=state, shown=shown)
    promises.main("write", root)
    assert promises.main("check", root) == 1


def test_a_page_that_is_out_of_date_fails_the_check(tmp_path):
    root = repository(tmp_path, state="now", shown="AU3")
    assert promises.main("check", root) == 1


def test_a_repeated_id_is_refused(tmp_path):
    root = repository(tmp_path, state="now", shown=None)
    (root / "tests/promises.toml").write_text(ROW.format(id="AU3", state="now") * 2)
    with pytest.raises(ValueError, match="stands twice"):
        promises.read_promises(root)
