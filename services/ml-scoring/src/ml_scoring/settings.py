"""Settings of ml-scoring, read from variables that begin with `ML_SCORING_`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator

from ml_scoring.domain.limits import KeyPolicy, PoolShape
from ml_scoring.domain.models import ModelReference
from service_kit.consuming_batches import BATCH_SIZE, BATCHES_IN_HAND
from service_kit.settings import Port, Seconds, ServiceSettings, service_config

Positive = Annotated[int, Field(ge=1)]


class Settings(ServiceSettings):
    """What ml-scoring is told beside what every service is told; times are in the unit that the name ends with."""

    model_config = service_config("ML_SCORING_")
    service_name: ClassVar[str] = "ml-scoring"

    port: Port = 8105
    # The store of models: a folder, s3://bucket/prefix or gs://bucket/prefix. Copies from a bucket are kept in the cache.
    models: str = "models"
    models_cache: Path = Path("model-cache")
    models_endpoint: str | None = None
    models_region: str | None = None
    models_access_key: SecretStr | None = None
    models_secret_key: SecretStr | None = None
    # What scores for every organisation that has not chosen a model: name/version, or name/version@seal.
    model: str = "risk-minilm-l6/1"
    # How soon a process notices that an organisation has chosen another model.
    model_poll_seconds: Seconds = 2.0

    # Where the keys of conversations are; the worker alone needs it, and the service key to be let in.
    messaging_url: str | None = None
    # A key that was destroyed is forgotten when that is heard; minutes bound the case that it is not.
    key_cache_seconds: Annotated[float, Field(gt=0, le=900)] = 300.0
    key_cache_size: Positive = 10_000
    # A batch of messages is held up so long at most by keys that are not at hand; their messages follow when the keys come.
    key_patience_seconds: Annotated[float, Field(gt=0, le=2)] = 0.15
    key_timeout_seconds: Annotated[float, Field(gt=0, le=10)] = 1.0

    scoring_threads: Annotated[int, Field(ge=0, description="0 takes as many as there are cores")] = 0
    batch_size: Annotated[int, Field(ge=1, le=1000)] = BATCH_SIZE

    predict_threads: Positive = 1
    # Texts in hand; at 3 ms each the last one waits a fifth of a second.
    predict_queue_limit: Annotated[int, Field(ge=32)] = 64

    @field_validator("model")
    @classmethod
    def _names_a_model(cls, text: str) -> str:
        ModelReference.parse(text)
        return text

    @property
    def default_model(self) -> ModelReference:
        return ModelReference.parse(self.model)

    @property
    def keys(self) -> KeyPolicy:
        return KeyPolicy(
            kept_seconds=self.key_cache_seconds, most=self.key_cache_size, patience_seconds=self.key_patience_seconds
        )

    @property
    def worker_pool(self) -> PoolShape:
        threads = self.scoring_threads or os.cpu_count() or 1
        return PoolShape(threads=threads, queue_limit=self.batch_size * BATCHES_IN_HAND)

    @property
    def predict_pool(self) -> PoolShape:
        return PoolShape(threads=self.predict_threads, queue_limit=self.predict_queue_limit)
