"""The model: a directory checked at load, text cleaned and cut into windows, one ONNX session that many threads share."""

from ml_scoring.model.pool import ScoringPool
from ml_scoring.model.risk_model import RiskModel

__all__ = ["RiskModel", "ScoringPool"]
