"""Whole numbers are multiplied exactly on every processor: a message's score must not depend on the machine that made it."""

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from ml_scoring.model import arithmetic
from ml_scoring.model.graph import Graph

WIDENED = "session.x64quantprecision"


@pytest.fixture
def probe_forgotten() -> Iterator[None]:
    arithmetic._saturates.cache_clear()
    yield
    arithmetic._saturates.cache_clear()


def product(weights: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> bytes:
    """A graph that multiplies unsigned bytes by signed ones."""
    graph = helper.make_graph(
        [*weights, helper.make_node("MatMulInteger", ["bytes", "weights"], ["product"])],
        "product",
        [helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["rows", arithmetic.DEPTH])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, ["rows", arithmetic.DEPTH])],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def made_by_the_graph() -> bytes:
    """All weights are as large as they can be, and made by the graph, so that it is small."""
    value = numpy_helper.from_array(np.array([127], dtype=np.int8))
    shape = numpy_helper.from_array(np.array([arithmetic.DEPTH, arithmetic.DEPTH], dtype=np.int64), "shape")
    return product([helper.make_node("ConstantOfShape", ["shape"], ["weights"], value=value)], [shape])


def brought_along() -> bytes:
    """The same weights within the file, as those of a model are."""
    weights = np.full((arithmetic.DEPTH, arithmetic.DEPTH), 127, dtype=np.int8)
    return product([], [numpy_helper.from_array(weights, "weights")])


def test_the_probe_is_the_graph_that_it_says():
    assert made_by_the_graph() == arithmetic.PROBE


@pytest.mark.parametrize("content", [made_by_the_graph(), brought_along()], ids=["made", "brought"])
@pytest.mark.parametrize("rows", [1, 2, 7, 128])
def test_products_of_bytes_do_not_saturate(content: bytes, rows: int):
    session = onnxruntime.InferenceSession(content, arithmetic.session_options(), providers=["CPUExecutionProvider"])

    (found,) = session.run(None, {"bytes": np.full((rows, arithmetic.DEPTH), 255, dtype=np.uint8)})

    assert found.tolist() == [[255 * 127 * arithmetic.DEPTH] * arithmetic.DEPTH] * rows


@pytest.mark.parametrize(("cut_off", "widened"), [(1, True), (0, False)])
@pytest.mark.usefixtures("probe_forgotten")
def test_weights_are_widened_where_the_processor_needs_it(monkeypatch: pytest.MonkeyPatch, cut_off: int, *, widened: bool):
    class Session:
        def __init__(self, content: bytes, *_: object, providers: list[str]) -> None:
            assert (content, providers) == (arithmetic.PROBE, ["CPUExecutionProvider"])

        def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            found = feed["bytes"].astype(np.int32) @ np.full((arithmetic.DEPTH, 3), 127, dtype=np.int32)
            # Only the last number of many rows is cut off: every one of them is looked at.
            found[-1, -1] -= cut_off * (len(found) > 16)
            return [found]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)

    options = arithmetic.session_options()

    if widened:
        assert options.get_session_config_entry(WIDENED) == "1"
    else:
        with pytest.raises(RuntimeError, match=WIDENED):
            options.get_session_config_entry(WIDENED)


def test_widened_weights_give_the_same_scores_to_the_last_bit(make_model, tmp_path, monkeypatch: pytest.MonkeyPatch):
    content = (make_model(tmp_path / "model", seed=3) / "model.onnx").read_bytes()
    ids = [[0, *range(5, 5 + length), 2] for length in (1, 6, 40)]
    monkeypatch.setattr(arithmetic, "_saturates", lambda: True)
    widened = [Graph(content).logits(each).tolist() for each in ids]
    monkeypatch.undo()

    assert [Graph(content).logits(each).tolist() for each in ids] == widened
