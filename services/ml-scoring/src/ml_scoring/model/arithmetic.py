"""How a processor multiplies bytes: exactly by itself, or only when ONNX Runtime is asked for the slower way."""

from __future__ import annotations

from base64 import b64decode
from functools import cache

import numpy as np
import onnxruntime

DEPTH = 16
"""Rows and columns of the weights that the probe multiplies by."""

PROBE = b64decode(
    b"CAg6xgEKNgoFc2hhcGUSB3dlaWdodHMiD0NvbnN0YW50T2ZTaGFwZSoTCgV2YWx1ZSoHCAEQA0oBf6ABBAooCgVieXRlcwoHd2VpZ2h0cxIHcH"
    b"JvZHVjdCINTWF0TXVsSW50ZWdlchIHcHJvZHVjdCodCAIQB0IFc2hhcGVKEBAAAAAAAAAAEAAAAAAAAABaGwoFYnl0ZXMSEgoQCAISDAoGEgRy"
    b"b3dzCgIIEGIdCgdwcm9kdWN0EhIKEAgGEgwKBhIEcm93cwoCCBBCBAoAEBE="
)
"""A graph that multiplies rows of {0..255} by weights of 127, as large as both can be; a test makes it anew and compares."""

# Few rows and many go different ways through the library.
_ROWS = (1, 2, 16, 64)


def session_options() -> onnxruntime.SessionOptions:
    """Options of a session of one thread whose products of bytes are exact: the same text has the same score on every processor.

    Processors without VNNI add products of bytes in 16 bits, which saturate, unless the library is told to widen the weights.
    With VNNI that would cost a third of the speed and change nothing.
    """
    options = _one_thread()
    if _saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


@cache
def _saturates() -> bool:
    """Whether this processor's sums of products are cut off, by the library's own fastest way."""
    session = onnxruntime.InferenceSession(PROBE, _one_thread(), providers=["CPUExecutionProvider"])
    found = (session.run(None, {"bytes": np.full((rows, DEPTH), 255, dtype=np.uint8)})[0] for rows in _ROWS)
    return any(bool(np.any(product != 255 * 127 * DEPTH)) for product in found)


def _one_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Warnings of the library go to stderr past our logs.
    options.log_severity_level = 3
    return options
