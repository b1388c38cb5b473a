"""The notebooks are committed without outputs, and draw their plots from a real Kafka."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import nbformat
import pytest
from nbclient import NotebookClient

from tools.steps import ROOT

FOLDER = ROOT / "notebooks"
PLOTS = {"appointments": 3, "crisis_path": 3}
PNG = "iVBORw0KGgo"


def notebook(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def jupyter_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notebooks' tools keep for the next time, such as the list of fonts."""
    return tmp_path_factory.mktemp("jupyter")


@pytest.fixture
def quiet_jupyter(monkeypatch: pytest.MonkeyPatch, jupyter_home: Path) -> None:
    """A Jupyter that writes nothing into the home of whoever runs the tests."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(jupyter_home / name.lower()))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")


def test_these_are_all_the_notebooks():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_a_notebook_is_committed_without_outputs(name: str):
    cells = code(notebook(name))

    assert cells
    assert [cell for cell in cells if cell.outputs or cell.execution_count] == []
    nbformat.validate(notebook(name))


async def executed(name: str) -> list[Any]:
    """The outputs of a notebook that ran from its first cell to its last."""
    book = notebook(name)
    client = NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
    await client.async_execute()
    return [output for cell in code(book) for output in cell.outputs]


def printed(outputs: list[Any]) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream")


def plots(outputs: list[Any]) -> list[str]:
    return [output.data["image/png"] for output in outputs if output.output_type == "display_data"]


async def told(name: str, kafka: str, tenant: UUID, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a notebook prints about a tenant; every plot came out and none is like another."""
    monkeypatch.setenv("BLOOM_KAFKA", kafka)
    monkeypatch.setenv("BLOOM_TENANT", str(tenant))
    outputs = await executed(name)
    drawn = plots(outputs)
    assert len(set(drawn)) == len(drawn) == PLOTS[name]
    assert all(picture.startswith(PNG) and len(picture) > 5_000 for picture in drawn)
    return printed(outputs)


@pytest.mark.usefixtures("quiet_jupyter")
async def test_appointments_are_drawn_from_newest_revisions(kafka_topics: str, practice_tenant: UUID, monkeypatch):
    said = await told("appointments", kafka_topics, practice_tenant, monkeypatch)

    assert re.search(r"^booked 12$", said, re.MULTILINE)
    assert re.search(r"^cancelled 1$", said, re.MULTILINE)
    assert re.search(r"^missed 4$", said, re.MULTILINE)


@pytest.mark.usefixtures("quiet_jupyter")
async def test_the_crisis_path_is_drawn_with_what_is_suppressed_beside_it(kafka_topics: str, practice_tenant: UUID, monkeypatch):
    said = await told("crisis_path", kafka_topics, practice_tenant, monkeypatch)

    assert "open now: 2" in said
    assert "suppressed: 4" in said
