"""Unsubscribe links: one click stops one kind, a look at the page stops nothing, and nobody can make a link up."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from bloom_events.notifications import Channel
from local_stack.mail import MailSink
from local_stack.postgres import ServiceDatabase
from notifications.clients.master_key import UNSUBSCRIBE_LINKS, derived_key, read_master_key
from notifications.domain.notices import Kind
from notifications.domain.unsubscribing import UnsubscribeLinks, Unsubscription
from notifications.main import create_app
from notifications.settings import Settings
from notifications.use_cases import preferences
from service_kit.database import Pool
from service_kit.testing import FixedClock

PATH = "/api/notifications/unsubscribe"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
MASTER_KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
LINKS = UnsubscribeLinks([derived_key(read_master_key(MASTER_KEY), UNSUBSCRIBE_LINKS)])


@pytest.fixture
async def client(database: ServiceDatabase, pool: Pool, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(environment="test", database_url=SecretStr(database.app_url), master_key=SecretStr(MASTER_KEY))
    app = create_app(settings)
    app.state.kit.database, app.state.kit.clock = pool, clock
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifications.test") as client:
            yield client


def link_for(practice: Any, user_id: Any, kind: Kind = Kind.REMINDERS) -> str:
    return f"{PATH}?token={LINKS.token(Unsubscription(practice.tenant_id, user_id, kind, Channel.EMAIL))}"


async def wanted(practice: Any, user_id: Any) -> set[str]:
    return set((await preferences.get_preferences(practice.uow(), user_id)).words())


async def test_one_click_stops_one_kind_of_mail_and_nothing_else(client: httpx.AsyncClient, practice: Any) -> None:
    patient, _ = await practice.person()
    before = await wanted(practice, patient)
    for _ in range(2):
        answer = await client.post(link_for(practice, patient), data=ONE_CLICK)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")

    assert before - await wanted(practice, patient) == {"reminders.email"}
    assert (await preferences.get_preferences(practice.uow(), patient)).revision == 1


async def test_a_mail_programs_multipart_post_works_too(client: httpx.AsyncClient, practice: Any) -> None:
    patient, _ = await practice.person()
    answer = await client.post(link_for(practice, patient), files={"List-Unsubscribe": (None, "One-Click")})

    assert answer.status_code == 200
    assert "reminders.email" not in await wanted(practice, patient)


async def test_following_a_link_changes_nothing_until_the_button_is_pressed(client: httpx.AsyncClient, practice: Any) -> None:
    patient, _ = await practice.person(locale="de-AT")
    page = await client.get(link_for(practice, patient))

    assert "reminders.email" in await wanted(practice, patient)
    assert '<html lang="de">' in page.text
    assert "Erinnerungen an Termine per E-Mail" in page.text
    assert re.search(r'<form method="post"><button type="submit" name="List-Unsubscribe" value="One-Click">', page.text)
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert "script" not in page.text


async def test_the_link_in_a_mail_works_and_the_next_mail_does_not_come(
    client: httpx.AsyncClient, practice: Any, office: Any, mail_sink: MailSink
) -> None:
    for rounds in office.rounds.values():
        object.__setattr__(rounds.post, "links", LINKS)
    patient, address = await practice.person()
    await practice.hear(practice.story(patient, uuid4()).booked().events)
    await office.serve()
    [mail] = mail_sink.messages(to=address)
    link = str(mail["List-Unsubscribe"]).strip("<>").removeprefix("https://api.example")
    await client.post(link, data=ONE_CLICK)
    await practice.hear(practice.story(patient, uuid4()).booked().events)
    await office.serve()

    assert len(mail_sink.messages(to=address)) == 1
    assert "appointments.email" not in await wanted(practice, patient)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("forge", ["other-key", "other-user", "cut", "letters", "empty"])
async def test_a_link_that_was_not_made_here_is_no_link(
    client: httpx.AsyncClient, practice: Any, method: str, forge: str
) -> None:
    patient, _ = await practice.person()
    wish = Unsubscription(practice.tenant_id, patient, Kind.REMINDERS, Channel.EMAIL)
    good, other = LINKS.token(wish), LINKS.token(Unsubscription(practice.tenant_id, uuid4(), wish.kind, wish.channel))  # type: ignore[arg-type]  # any id
    forged = {
        "other-key": UnsubscribeLinks([b"x" * 32]).token(wish),
        "other-user": good[:30] + other[30:],
        "cut": good[:-4],
        "letters": "A" * len(good),
        "empty": "",
    }[forge]
    answer = await client.request(method, PATH, params={"token": forged}, data=ONE_CLICK if method == "POST" else None)

    assert answer.status_code == (422 if forge == "empty" else 404)
    assert "reminders.email" in await wanted(practice, patient)


async def test_a_link_of_another_tenant_reaches_nobody_here(client: httpx.AsyncClient, practice: Any) -> None:
    patient, _ = await practice.person()
    elsewhere = LINKS.token(Unsubscription(uuid4(), patient, Kind.REMINDERS, Channel.EMAIL))  # type: ignore[arg-type]  # any id
    await client.post(f"{PATH}?token={elsewhere}", data=ONE_CLICK)

    assert "reminders.email" in await wanted(practice, patient)


async def test_a_link_made_with_an_older_key_still_works(practice: Any) -> None:
    wish = Unsubscription(practice.tenant_id, uuid4(), Kind.APPOINTMENTS, Channel.EMAIL)  # type: ignore[arg-type]  # any id

    assert UnsubscribeLinks([b"n" * 32, b"o" * 32]).read(UnsubscribeLinks([b"o" * 32]).token(wish)) == wish
