"""No address, password or token shows where it should not: in logs, metrics, limit keys and problem answers."""

import io
import json
import logging

import pytest
import structlog
from redis.asyncio import Redis

from service_kit import logs, metrics

PASSWORD = "seven green bottles"


@pytest.fixture
def log_lines():
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    logs.configure_logging(service="auth-test", level="DEBUG", stream=stream)
    yield stream.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def tell_a_story(service) -> list[str]:
    """Every kind of request that carries something private; gives what must show nowhere."""
    user = await service.registered(email="very.private@example.test", displayName="Vera Private")
    device = await service.signed_in(user["email"])
    secrets = [device.bearer, device.refresh_cookie, device.csrf]
    await device.refresh()
    await service.device().sign_in(user["email"], "my wrong password")
    await service.device().sign_in("very.unknown@example.test", "my wrong password")
    await service.device().post("/api/auth/register", json={"email": user["email"], "password": PASSWORD})
    await service.device().post("/api/auth/register", json={"email": "very.broken@@example.test", "password": PASSWORD, "x": 1})
    administrator = await service.administrator()
    invitation = await administrator.post("/api/auth/invitations", json={"email": "very.invited@example.test"})
    await administrator.get("/api/users")
    await administrator.post(f"/api/users/{user['id']}/suspend")
    changed = {"currentPassword": PASSWORD, "newPassword": "my next password"}
    await device.post("/api/auth/change-password", json=changed)
    texts = ["very.", "@example.test", "Vera Private", PASSWORD, "my wrong password", "my next password"]
    return [*texts, *secrets, device.refresh_cookie or "-" * 9, invitation.json()["token"]]


async def test_logs_and_metrics_hold_ids_only(service, log_lines):
    private = await tell_a_story(service)
    written = log_lines() + metrics.render()[0].decode()

    assert [text for text in private if text in written] == []
    lines = [json.loads(line) for line in log_lines().splitlines()]
    assert len([line for line in lines if line["event"] == "http.answered"]) >= 10


async def test_keys_in_valkey_name_nobody(service, valkey_server):
    private = await tell_a_story(service)
    async with Redis.from_url(valkey_server.url) as valkey:
        keys = [key.decode() async for key in valkey.scan_iter()]

    assert keys
    assert [text for text in private if any(text in key for key in keys)] == []
    assert not any("10.1." in key for key in keys)


async def test_events_hold_no_address(service):
    await tell_a_story(service)

    events = await service.events()

    assert len(events) >= 4
    assert "@" not in json.dumps(events)


async def test_the_openapi_document_shows_reserved_addresses_only(service):
    document = json.dumps(service.app.openapi())

    assert "@example.test" in document
    assert document.count("@") == document.count("@example.test")
