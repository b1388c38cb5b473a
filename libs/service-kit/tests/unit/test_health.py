"""Health: alive, and ready with reasons."""

import asyncio

import httpx

from service_kit.health import Health
from service_kit.probe import probe_server


async def fine():
    return None


async def empty():
    return "nothing to read from"


async def broken():
    raise ConnectionRefusedError("10.0.0.7 refused")


async def test_ready_when_every_check_is_well():
    readiness = await Health({"database": fine, "kafka": fine}).readiness()
    assert readiness.model_dump() == {"status": "ready", "checks": {"database": "ok", "kafka": "ok"}}


async def test_each_failed_check_gives_its_reason_without_addresses():
    readiness = await Health({"database": broken, "kafka": empty, "model": fine}).readiness()
    assert readiness.status == "not ready"
    assert readiness.checks == {"database": "ConnectionRefusedError", "kafka": "nothing to read from", "model": "ok"}


async def test_a_check_that_never_answers_has_failed():
    async def hangs() -> None:
        await asyncio.Event().wait()

    readiness = await Health({"database": hangs}, check_seconds=0.05).readiness()
    assert readiness.checks == {"database": "no answer within 0.05 s"}


async def test_a_process_that_shuts_down_is_not_ready():
    readiness = await Health({"database": fine}, draining=True).readiness()
    assert readiness.checks == {"process": "shutting down"}


async def test_a_process_without_an_api_answers_probes_and_metrics():
    health = Health({"database": fine})
    async with (
        probe_server(health, host="127.0.0.1", port=0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/health/live")).json() == {"status": "alive"}
        assert (await client.get("/health/ready")).status_code == 200
        health.draining = True
        assert (await client.get("/health/ready")).status_code == 503
        assert "bloom_relay_lag_rows" in (await client.get("/metrics")).text
        assert (await client.get("/anything")).status_code == 404
        assert (await client.post("/health/live")).status_code == 404


async def test_a_probe_that_does_not_speak_http_disturbs_nobody():
    async with probe_server(Health({}), host="127.0.0.1", port=0) as port:
        for sent in (b"\x00\xff\r\n\r\n", b"", b"GET", b"x" * 20_000):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            writer.close()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
