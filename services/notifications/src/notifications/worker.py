"""Composition root of the worker: settings in, wired Faust app with its chores out."""

from __future__ import annotations

from datetime import datetime

import faust

from bloom_events.notifications import Channel
from notifications.agents import consuming, register_agents
from notifications.clients.auth import AuthClient
from notifications.clients.master_key import UNSUBSCRIBE_LINKS, derived_key, read_master_key
from notifications.clients.providers import open_providers
from notifications.clients.score_log import KafkaScoreLog
from notifications.domain.unsubscribing import UnsubscribeLinks
from notifications.settings import Settings
from notifications.use_cases import by_the_clock
from notifications.use_cases.consumer import CONSUMER
from notifications.use_cases.failpoints import armed
from notifications.use_cases.rounds import SendingRounds, ask_due, remind_due
from notifications.use_cases.sending import Post
from service_kit.broker import wait_for_broker
from service_kit.chores import Chore, add_chore
from service_kit.dead_letters import DeadLetters
from service_kit.faust_app import before_start, create_faust_app
from service_kit.service_tokens import ServiceTokenSigner
from service_kit.unit_of_work import utc_now
from service_kit.wakeups import Wakeups
from service_kit.worker_database import WorkerDatabase

COUNT_OPEN_SECONDS = 15.0
LOOK_BESIDE_WAKEUPS_SECONDS = 5.0
"""What is due is told by PostgreSQL's NOTIFY; this is the net under it."""


def create_worker(settings: Settings) -> faust.App:
    """The worker that hears of messages and scores, raises alerts, escalates them by the clock, and sends what is to be sent."""
    app = create_faust_app(settings, app_id=CONSUMER)
    database = WorkerDatabase(app, settings)
    watchdog = _add_alert_chores(app, settings, database)
    # A pool of its own: a thousand mails at once leave the other one's connections to alerts.
    _add_post_chores(app, settings, WorkerDatabase(app, settings))
    parker = DeadLetters(settings.kafka, CONSUMER)
    # People are called by the clock, and what is due is sent, whether Kafka is there or not.
    before_start(app, lambda: wait_for_broker(settings.kafka))
    register_agents(app, consuming(database.unit_for, parker, patience=settings.patience, watchdog=watchdog))
    return app


def _add_alert_chores(app: faust.App, settings: Settings, database: WorkerDatabase) -> Chore:
    """Have the process escalate, call people to unscored messages, and count open alerts; returns the second, which is woken."""
    score_log = KafkaScoreLog(settings.kafka, CONSUMER)

    async def escalate(now: datetime) -> datetime | None:
        return await by_the_clock.escalate_due(database, now, clock=utc_now)

    async def give_up(now: datetime) -> datetime | None:
        return await by_the_clock.give_up_due(database, score_log, settings.patience, now, clock=utc_now)

    async def count(_: datetime) -> None:
        await by_the_clock.count_open(database)

    watchdog = Chore("unscored", give_up, end=score_log.close)
    for chore in (Chore("escalate", escalate), watchdog, Chore("count", count, look_seconds=COUNT_OPEN_SECONDS)):
        add_chore(app, chore)
    return watchdog


def _add_post_chores(app: faust.App, settings: Settings, database: WorkerDatabase) -> None:
    """Have the process send on every channel, remind, and ask auth about people, each woken when there is something to do."""

    async def remind(now: datetime) -> datetime | None:
        return await remind_due(database, now)

    sending = _sending_chores(settings, database)
    reminding = Chore("remind", remind, look_seconds=LOOK_BESIDE_WAKEUPS_SECONDS)
    woken = {"notifications_due": sending, "reminders_due": [reminding]}
    if (asking := _asking_chore(settings, database)) is not None:
        woken["contacts_to_ask_for"] = [asking]

    wakes = {channel: [chore.due_at for chore in chores] for channel, chores in woken.items()}
    wakeups = Wakeups(settings.database_url, wakes, name="notifications-wakeups")
    every = [chore for chores in woken.values() for chore in chores]
    for chore in (*every, Chore("wakeups", wakeups.work, end=wakeups.end)):
        add_chore(app, chore)


def _sending_chores(settings: Settings, database: WorkerDatabase) -> list[Chore]:
    providers = open_providers(mail=settings.mail, sms=settings.sms, push=settings.push, portal_url=settings.portal_url)
    links = UnsubscribeLinks([derived_key(read_master_key(settings.master_key.get_secret_value()), UNSUBSCRIBE_LINKS)])
    failpoint = armed(settings.failpoint)
    chores = []
    for channel in Channel:
        post = Post(channel, providers.get(channel), settings.timing, links, settings.public_url)
        rounds = SendingRounds(post, database, settings.places_per_channel, utc_now, failpoint)
        chore = Chore(f"send-{channel}", rounds.work, end=rounds.end, look_seconds=LOOK_BESIDE_WAKEUPS_SECONDS)
        rounds.free = chore.due_at
        chores.append(chore)
    return chores


def _asking_chore(settings: Settings, database: WorkerDatabase) -> Chore | None:
    if settings.auth_url is None or settings.service_key is None:
        return None
    book = AuthClient(settings.auth_url, ServiceTokenSigner("notifications", settings.service_key))

    async def ask(now: datetime) -> datetime | None:
        return await ask_due(database, book, now)

    return Chore("ask-auth", ask, end=book.close, look_seconds=LOOK_BESIDE_WAKEUPS_SECONDS)
