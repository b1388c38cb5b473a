"""What `make test` says of steps that fail."""

from tools.steps import Step, python, run_beside
from tools.verify import suite


def step(name: str, code: str) -> Step:
    return Step(name, python("-c", code))


def test_steps_beside_each_other_name_what_failed():
    told = run_beside(
        [
            step("fine", "print('FAILED is only a word here')"),
            step("red", "print('FAILED a::b - no answer'); print('1 failed'); raise SystemExit(1)"),
            step("broken", "raise SystemExit(3)"),
        ]
    )
    assert told == {"red": ["FAILED a::b - no answer"], "broken": ["FAILED (exit 3)"]}


def test_only_what_failed_is_asked_again(tmp_path):
    flag, tests = tmp_path / "flag", tmp_path / "test_two.py"
    tests.write_text(
        f"from pathlib import Path\nFLAG = Path({str(flag)!r})\n\n"
        "def test_steady():\n    assert not FLAG.exists()\n    FLAG.touch()\n\n"
        "def test_unsteady():\n    assert FLAG.read_text() == 'alone'\n"
    )
    first = run_beside([suite("a test of steps", str(tests))])
    assert [line.split(" - ")[0].split("::")[1] for line in first["a test of steps"]] == ["test_unsteady"]
    flag.write_text("alone")
    assert run_beside([suite("a test of steps", str(tests), again=True)]) == {}
    # What failed is forgotten when it passed, and asking for nothing is no success.
    assert run_beside([suite("a test of steps", str(tests), again=True)]) == {"a test of steps, again": ["FAILED (exit 5)"]}
