"""The API: who may ask for what, what is refused, and that it says no more than it should."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from bloom_events.auth import Role
from bloom_events.risk import RiskLabel
from local_stack.postgres import ServiceDatabase
from ml_scoring.domain.waiting import Place, Received
from ml_scoring.main import create_app
from ml_scoring.schemas.predictions import LONGEST_TEXT, MOST_TEXTS
from ml_scoring.settings import Settings
from ml_scoring.use_cases import conversations
from ml_scoring.use_cases import scoring as use_cases
from service_kit.database import Pool
from service_kit.testing import AUDIENCE, ISSUER, FixedClock, TokenIssuer

TEXT = "The walk in the morning did me good."


@pytest.fixture(scope="session")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def make_app(
    database: ServiceDatabase, pool: Pool, clock: FixedClock, issuer: TokenIssuer, model_store: Path, tmp_path: Path
) -> Callable[[str], Any]:
    """Makes the API with this model of the store as the platform's own."""

    def make(model: str) -> Any:
        settings = Settings(
            environment="test",
            database_url=SecretStr(database.app_url),
            token_issuer=ISSUER,
            token_audience=AUDIENCE,
            models=str(model_store),
            models_cache=tmp_path,
            model=model,
            model_poll_seconds=0.05,
            predict_queue_limit=40,
        )
        app = create_app(settings)
        app.state.kit.database, app.state.kit.tokens, app.state.kit.clock = pool, issuer.verifier(), clock
        return app

    return make


@pytest.fixture
async def app(make_app: Callable[[str], Any]) -> AsyncIterator[Any]:
    app = make_app("tiny-xlmr/1")
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def app_without_model(make_app: Callable[[str], Any]) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app("tiny-xlmr/not-there-yet")
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ml-scoring.test") as client:
            yield client


@pytest.fixture
async def client(app: Any, eventually: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ml-scoring.test") as client:

        async def is_ready() -> bool:
            return (await client.get("/health/ready")).status_code == 200

        await eventually(is_ready)
        yield client


@pytest.fixture
def headers(issuer: TokenIssuer, scoring: Any) -> Any:
    """The headers of somebody of the tenant."""

    def of(role: Role = Role.THERAPIST, subject: UUID | None = None) -> dict[str, str]:
        return issuer.headers(role=role, tenant_id=scoring.tenant_id, subject=subject)

    return of


async def write(scoring: Any, *envelopes: Any) -> None:
    """Have messages scored as the worker does."""
    received = [Received(each, Place(0, 0), scoring.clock()) for each in envelopes]
    await use_cases.record(scoring.tools, await use_cases.examine(scoring.tools, received))


async def hear(scoring: Any, event: Any) -> None:
    await conversations.hear_member(scoring.unit(event), event)


@pytest.mark.promise("ML1", "ML5")
async def test_a_text_gets_its_label_confidence_and_all_scores(client: httpx.AsyncClient, headers: Any) -> None:
    answer = await client.post("/v1/predict", json={"text": TEXT}, headers=headers())
    assert answer.status_code == 200
    found = answer.json()
    assert set(found) == {"label", "confidence", "allScores", "riskLevel", "windows", "model"}
    assert set(found["allScores"]) == {label.value for label in RiskLabel}
    assert found["confidence"] == max(found["allScores"].values()) == found["allScores"][found["label"]]
    assert sum(found["allScores"].values()) == pytest.approx(1)
    assert found["riskLevel"] in {"low", "moderate", "high", "critical"}
    assert (found["model"]["name"], found["model"]["version"], found["windows"]) == ("tiny-xlmr", "1", 1)
    assert TEXT not in answer.text


async def test_a_texts_score_is_the_same_whatever_is_scored_beside_it(client: httpx.AsyncClient, headers: Any) -> None:
    alone = (await client.post("/v1/predict", json={"text": TEXT}, headers=headers())).json()
    texts = [f"{number} {TEXT * number}" for number in range(MOST_TEXTS - 1)]
    together = (await client.post("/v1/predict", json={"texts": [*texts, TEXT]}, headers=headers())).json()
    assert len(together["predictions"]) == MOST_TEXTS
    assert together["predictions"][-1] == alone


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": None},
        {"text": ""},
        {"text": "a", "texts": ["a"]},
        {"texts": []},
        {"texts": [""]},
        {"texts": ["a"] * (MOST_TEXTS + 1)},
        {"text": "a" * (LONGEST_TEXT + 1)},
        {"texts": ["a", "b" * (LONGEST_TEXT + 1)]},
        {"text": 7},
        {"text": "nul \u0000"},
        {"text": "a", "model": "other"},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_body_outside_the_limits_is_refused_without_repeating_it(
    client: httpx.AsyncClient, headers: Any, body: dict[str, Any]
) -> None:
    answer = await client.post("/v1/predict", json=body, headers=headers())
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:bloom:problem:invalid-request"
    assert "bbbb" not in answer.text


async def test_a_body_that_is_too_large_or_broken_is_refused(client: httpx.AsyncClient, headers: Any) -> None:
    large = await client.post("/v1/predict", json={"texts": ["a" * 4_000] * 20}, headers=headers())
    json = {**headers(), "Content-Type": "application/json"}
    broken = await client.post("/v1/predict", content=b'{"text": "\xff"}', headers=json)
    lone = await client.post("/v1/predict", content=rb'{"text": "\ud800"}', headers=json)
    assert (large.status_code, broken.status_code, lone.status_code) == (413, 400, 400)


@pytest.mark.parametrize("text", ["a" * LONGEST_TEXT, "😀" * 5_000, "مرحبا " * 100, "a\u202eb", " "])
async def test_the_longest_and_the_strangest_texts_are_scored(client: httpx.AsyncClient, headers: Any, text: str) -> None:
    answer = await client.post("/v1/predict", json={"text": text}, headers=headers())
    assert answer.status_code == 200


@pytest.mark.promise("ML8")
async def test_when_more_texts_wait_than_the_queue_holds_the_next_is_turned_away_and_told_when_to_come(
    client: httpx.AsyncClient, headers: Any
) -> None:
    long = {"texts": ["word " * 400] * MOST_TEXTS}
    answers = await asyncio.gather(*(client.post("/v1/predict", json=long, headers=headers()) for _ in range(6)))
    by_status = {answer.status_code: answer for answer in answers}
    assert set(by_status) == {200, 503}
    assert by_status[503].json()["type"] == "urn:bloom:problem:scorer-busy"
    assert int(by_status[503].headers["Retry-After"]) >= 1
    assert (await client.post("/v1/predict", json={"text": TEXT}, headers=headers())).status_code == 200


@pytest.mark.promise("ML8")
async def test_an_api_whose_model_has_not_come_yet_answers_everything_else_and_says_that_it_is_not_ready(
    app_without_model: httpx.AsyncClient, headers: Any, scoring: Any
) -> None:
    conversation, therapist = scoring.conversation(), uuid4()
    message = conversation.sent()
    await hear(scoring, conversation.joined(therapist))
    await write(scoring, message)
    ready = await app_without_model.get("/health/ready")
    predicted = await app_without_model.post("/v1/predict", json={"text": TEXT}, headers=headers())
    found = await app_without_model.get(f"/api/analyses/{message.data.message_id}", headers=headers(subject=therapist))
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "ok")
    assert ready.json()["checks"]["model"] != "ok"
    assert (predicted.status_code, predicted.json()["type"]) == (503, "urn:bloom:problem:no-model-yet")
    assert int(predicted.headers["Retry-After"]) >= 1
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("role", "path", "method"),
    [
        (Role.PATIENT, "/v1/predict", "POST"),
        (Role.PATIENT, f"/api/analyses/{uuid4()}", "GET"),
        (Role.ADMINISTRATOR, f"/api/analyses/{uuid4()}", "GET"),
        (Role.PATIENT, f"/api/analyses?conversationId={uuid4()}", "GET"),
        (Role.ADMINISTRATOR, f"/api/analyses?conversationId={uuid4()}", "GET"),
        (Role.PATIENT, "/api/models", "GET"),
        (Role.PATIENT, "/api/models/tiny-xlmr/1", "GET"),
        (Role.PATIENT, "/api/models/tiny-xlmr/1/activate", "POST"),
        (Role.THERAPIST, "/api/models/tiny-xlmr/1/activate", "POST"),
    ],
)
async def test_a_role_that_has_no_business_with_it_is_refused(
    client: httpx.AsyncClient, headers: Any, role: Role, path: str, method: str
) -> None:
    body = {"text": TEXT} if method == "POST" and path == "/v1/predict" else None
    assert (await client.request(method, path, json=body, headers=headers(role))).status_code == 403
    assert (await client.request(method, path, json=body)).status_code == 401


async def test_a_therapist_reads_the_analyses_of_conversations_as_long_as_he_takes_part(
    client: httpx.AsyncClient, headers: Any, scoring: Any
) -> None:
    conversation, therapist = scoring.conversation(), uuid4()
    message = conversation.sent(TEXT)
    await write(scoring, message)
    path, me = f"/api/analyses/{message.data.message_id}", headers(subject=therapist)
    before = await client.get(path, headers=me)
    joined, left = conversation.joined(therapist), conversation.left(therapist, at=scoring.clock() + timedelta(hours=1))
    await hear(scoring, joined)
    reading = await client.get(path, headers=me)
    await hear(scoring, left)
    after = await client.get(path, headers=me)
    nothing = await client.get(f"/api/analyses/{uuid4()}", headers=me)

    assert (before.status_code, reading.status_code, after.status_code) == (404, 200, 404)
    assert _without_ids(before) == _without_ids(after) == _without_ids(nothing)
    found = reading.json()
    assert (found["messageId"], found["status"], found["revision"]) == (str(message.data.message_id), "scored", 1)
    assert found["prediction"]["riskLevel"] in {"low", "moderate", "high", "critical"}
    assert (found["authorRole"], found["patientId"]) == ("PATIENT", str(conversation.patient_id))


async def test_what_was_heard_late_or_twice_does_not_open_a_conversation_again(
    client: httpx.AsyncClient, headers: Any, scoring: Any
) -> None:
    conversation, therapist = scoring.conversation(), uuid4()
    message = conversation.sent()
    await write(scoring, message)
    joined = conversation.joined(therapist)
    left = conversation.left(therapist, at=scoring.clock() + timedelta(hours=1))
    again = conversation.joined(therapist, at=scoring.clock() + timedelta(minutes=30))
    for event in (joined, left, joined, again):
        await hear(scoring, event)
    path = f"/api/analyses?conversationId={conversation.conversation_id}"
    assert (await client.get(path, headers=headers(subject=therapist))).status_code == 404


async def test_the_analyses_of_a_conversation_come_page_by_page_the_newest_first(
    client: httpx.AsyncClient, headers: Any, scoring: Any
) -> None:
    conversation, other, therapist = scoring.conversation(), scoring.conversation(), uuid4()
    await hear(scoring, conversation.joined(therapist))
    messages = [conversation.sent(str(number)) for number in range(5)]
    await write(scoring, *messages, other.sent("elsewhere"))
    seen, cursor = [], ""
    while True:
        path = f"/api/analyses?conversationId={conversation.conversation_id}&limit=2{cursor}"
        page = (await client.get(path, headers=headers(subject=therapist))).json()
        seen += [item["sequence"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == [5, 4, 3, 2, 1]
    elsewhere = f"/api/analyses?conversationId={other.conversation_id}"
    assert (await client.get(elsewhere, headers=headers(subject=therapist))).status_code == 404
    forged = f"/api/analyses?conversationId={conversation.conversation_id}&cursor=eyJh"
    assert (await client.get(forged, headers=headers(subject=therapist))).status_code == 422


async def test_a_therapist_of_another_organisation_sees_nothing(
    client: httpx.AsyncClient, issuer: TokenIssuer, scoring: Any
) -> None:
    conversation, therapist = scoring.conversation(), uuid4()
    message = conversation.sent()
    await hear(scoring, conversation.joined(therapist))
    await write(scoring, message)
    stranger = issuer.headers(role=Role.THERAPIST, tenant_id=uuid4(), subject=therapist)
    assert (await client.get(f"/api/analyses/{message.data.message_id}", headers=stranger)).status_code == 404


async def test_withdrawn_and_unreadable_messages_say_so_and_show_no_score(
    client: httpx.AsyncClient, headers: Any, scoring: Any
) -> None:
    conversation, therapist = scoring.conversation(), uuid4()
    await hear(scoring, conversation.joined(therapist))
    message = conversation.sent()
    await write(scoring, message, conversation.deleted(message), conversation.sent("a" * 100_001))
    path = f"/api/analyses?conversationId={conversation.conversation_id}"
    items = (await client.get(path, headers=headers(subject=therapist))).json()["items"]
    assert [(item["status"], item["reason"], item["prediction"]) for item in items] == [
        ("unreadable", "text-too-long", None),
        ("withdrawn", None, None),
    ]


async def test_models_are_listed_with_the_one_that_serves_and_each_has_its_card(client: httpx.AsyncClient, headers: Any) -> None:
    listed = (await client.get("/api/models", headers=headers())).json()
    card = (await client.get("/api/models/tiny-xlmr/1", headers=headers())).json()
    other = (await client.get("/api/models/tiny-xlmr/2", headers=headers())).json()
    assert [model["version"] for model in listed["models"]] == ["1", "2", "3"]
    assert (listed["live"]["version"], listed["chosen"]) == ("1", None)
    assert (card["isLive"], other["isLive"]) == (True, False)
    assert card["card"].startswith("# tiny-xlmr 1")
    assert card["thresholds"] == {"moderate": 0.1, "high": 0.3, "critical": 0.6}


@pytest.mark.parametrize("path", ["tiny-xlmr/77", "..%2F..%2Fetc/passwd", "UPPER/1", "a" * 64 + "/1"])
async def test_a_model_that_is_not_there_is_not_found_whatever_its_name(
    client: httpx.AsyncClient, headers: Any, path: str
) -> None:
    assert (await client.get(f"/api/models/{path}", headers=headers())).status_code == 404
    administrator = headers(Role.ADMINISTRATOR)
    assert (await client.post(f"/api/models/{path}/activate", headers=administrator)).status_code == 404


async def test_an_activated_model_serves_the_organisation_and_no_other(
    client: httpx.AsyncClient, headers: Any, issuer: TokenIssuer, eventually: Any
) -> None:
    before = (await client.post("/v1/predict", json={"text": TEXT}, headers=headers())).json()
    chosen = await client.post("/api/models/tiny-xlmr/2/activate", headers=headers(Role.ADMINISTRATOR))
    assert (chosen.status_code, chosen.json()["version"], chosen.json()["refusedReason"]) == (200, "2", None)

    async def after() -> Any:
        found = (await client.post("/v1/predict", json={"text": TEXT}, headers=headers())).json()
        return found if found["model"]["version"] == "2" else None

    assert (await eventually(after))["allScores"] != before["allScores"]
    listed = (await client.get("/api/models", headers=headers())).json()
    assert (listed["live"]["version"], listed["chosen"]["version"]) == ("2", "2")
    stranger = issuer.headers(role=Role.THERAPIST, tenant_id=uuid4())
    assert (await client.post("/v1/predict", json={"text": TEXT}, headers=stranger)).json() == before


async def test_a_broken_model_is_refused_with_the_reason_and_what_served_goes_on_serving(
    client: httpx.AsyncClient, headers: Any
) -> None:
    refused = await client.post("/api/models/tiny-xlmr/3/activate", headers=headers(Role.ADMINISTRATOR))
    listed = (await client.get("/api/models", headers=headers())).json()
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:bloom:problem:model-unusable"
    assert "model.onnx" in refused.json()["detail"]
    assert (listed["live"]["version"], listed["chosen"]) == ("1", None)
    assert (await client.post("/v1/predict", json={"text": TEXT}, headers=headers())).status_code == 200


async def test_what_a_process_could_not_load_is_shown_until_it_can(
    client: httpx.AsyncClient, headers: Any, scoring: Any, eventually: Any
) -> None:
    await client.post("/api/models/tiny-xlmr/2/activate", headers=headers(Role.ADMINISTRATOR))
    await scoring.rows("update live_models set seal = $1, revision = 2 returning 1", "f" * 64)

    async def reason() -> Any:
        return (await client.get("/api/models", headers=headers())).json()["chosen"]["refusedReason"]

    assert "pinned" in await eventually(reason)
    again = await client.post("/api/models/tiny-xlmr/2/activate", headers=headers(Role.ADMINISTRATOR))
    assert again.json()["refusedReason"] is None


def _without_ids(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in {"instance", "trace_id"}}
