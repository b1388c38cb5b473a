"""Whole numbers are multiplied exactly on every processor: a message's score must not depend on the machine that made it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml_scoring.model.graph import _session_of

DEPTH, WIDTH = 64, 8


def product() -> bytes:
    """A graph that multiplies unsigned bytes by signed ones, all of them as large as they can be."""
    weights = numpy_helper.from_array(np.full((DEPTH, WIDTH), 127, dtype=np.int8), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["bytes", "weights"], ["product"])],
        "product",
        [helper.make_tensor_value_info("bytes", TensorProto.UINT8, [1, DEPTH])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [1, WIDTH])],
        [weights],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def test_products_of_bytes_do_not_saturate():
    session = _session_of(product())

    (found,) = session.run(None, {"bytes": np.full((1, DEPTH), 255, dtype=np.uint8)})

    assert found.tolist() == [[255 * 127 * DEPTH] * WIDTH]
