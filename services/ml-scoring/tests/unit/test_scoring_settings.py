"""Settings that refuse what could not work."""

import os
from typing import Any

import pytest
from pydantic import ValidationError

from ml_scoring.settings import Settings
from service_kit.settings import describe

NEEDED: dict[str, Any] = {"environment": "test", "database_url": "postgresql://127.0.0.1/nothing"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "no-version"},
        {"model": "UPPER/1"},
        {"model": "m/1@short"},
        {"key_cache_seconds": 901},
        {"key_patience_seconds": 0},
        {"key_timeout_seconds": 11},
        {"batch_size": 0},
        {"batch_size": 1001},
        {"predict_threads": 0},
        {"predict_queue_limit": 31},
        {"scoring_threads": -1},
        {"model_poll_seconds": 0},
    ],
    ids=str,
)
def test_a_setting_that_could_not_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**NEEDED, **wrong)


def test_the_worker_scores_on_as_many_threads_as_there_are_cores_unless_told_otherwise():
    assert Settings(**NEEDED).worker_pool.threads == os.cpu_count()
    assert Settings(**NEEDED, scoring_threads=3).worker_pool.threads == 3


def test_what_is_secret_is_not_said():
    settings = Settings(**NEEDED, models_secret_key="hidden", service_key="hidden")
    assert "hidden" not in str(describe(settings))
