"""The lake is off without a key; a key that is none is refused and not repeated."""

import base64

import pytest
from pydantic import SecretStr, ValidationError

from analytics.__main__ import main
from analytics.settings import Settings

URL = SecretStr("postgresql://nobody@127.0.0.1:1/none")


@pytest.mark.parametrize("key", ["no base64 at all", base64.b64encode(b"short").decode()])
def test_a_key_that_is_not_32_bytes_in_base64_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(environment="test", database_url=URL, lake_key=SecretStr(key))
    assert key not in str(refused.value)


def test_there_is_no_key_of_the_house() -> None:
    settings = Settings(environment="test", database_url=URL)
    assert settings.lake_key is None
    assert settings.lake_store is None


def test_the_command_says_that_the_lake_is_off_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_ENVIRONMENT", "test")
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", URL.get_secret_value())
    monkeypatch.setenv("ANALYTICS_LAKE_STORE", "s3://bloom-lake")
    monkeypatch.delenv("ANALYTICS_LAKE_KEY", raising=False)
    with pytest.raises(SystemExit, match="ANALYTICS_LAKE_KEY"):
        main(["lake"])
