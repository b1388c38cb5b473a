"""Row 5: a service loses its connections after each statement of each command: all of it or nothing, and trying again works.

Where a process dies makes no difference to PostgreSQL: what it sees is a connection that ends between two statements. So each
boundary is tried in turn, from before the first statement to after the commit whose answer nobody heard.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults import crash_appointments, crash_attachments, crash_auth, crash_billing, crash_messaging, crash_notifications
from tests.faults.lab import Lab
from tests.faults.row import Finding, until
from tests.faults.stands import Answer, Command, Send, Stand, standing
from tests.faults.whole_database import Rows, change

_MOST_STATEMENTS = 400

SERVICES: Mapping[str, Sequence[Command]] = {
    "auth": crash_auth.COMMANDS,
    "appointments": crash_appointments.COMMANDS,
    "billing": crash_billing.COMMANDS,
    "messaging": (*crash_messaging.COMMANDS, *crash_attachments.COMMANDS),
    "notifications": crash_notifications.COMMANDS,
}


@dataclass(frozen=True, slots=True)
class Whole:
    """A command that nobody disturbed: its answer, how many statements it took and what it changed."""

    answer: Answer
    statements: int
    went: Rows
    came: Rows


@dataclass
class Tally:
    """What was done and what was wrong."""

    wrong: list[str] = field(default_factory=list)
    cuts: int = 0
    commands: int = 0
    retries: int = 0


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Every command of every service: there is no longer form than all of it."""
    tally = Tally()
    for service, commands in SERVICES.items():
        cuts_before = tally.cuts
        async with standing(lab, service) as stand:
            for command in commands:
                await _try_everywhere(stand, command, tally)
        print(f"   {service}: {len(commands)} commands, {tally.cuts - cuts_before} crashes, {len(tally.wrong)} wrong", flush=True)
    figures = {"commands": tally.commands, "crashes": tally.cuts, "retries": tally.retries}
    return Finding(tally.wrong, tally.cuts, figures, planted_bug_seen=await _bug_is_seen(lab))


async def _bug_is_seen(lab: Lab) -> bool:
    """Without transactions halves must be found; the checks in billing's own tables refuse to work like that at all."""
    for service in ("auth", "appointments"):
        tally = Tally()
        async with standing(lab, service, autocommit=True) as stand:
            await _try_everywhere(stand, SERVICES[service][0], tally)
        if not any("final after" in each for each in tally.wrong):
            return False
    return True


async def _try_everywhere(stand: Stand, command: Command, tally: Tally) -> None:
    whole = await _undisturbed(stand, command, tally)
    if whole.answer.status != command.status:
        tally.wrong.append(f"{command.name}: answered {whole.answer.status}, not {command.status}")
    send = await command.prepare(stand)
    before = await stand.database.rows(without=command.apart)
    digest = await stand.database.digest(without=command.apart)
    tally.commands += 1
    for boundary in range(_MOST_STATEMENTS):
        answer = await _crash(stand, send, boundary)
        if answer is None:
            tally.wrong.append(f"{command.name}: came to its end after {boundary} statements without a commit")
            return
        tally.cuts += 1
        if answer.status != 503:
            tally.wrong.append(f"{command.name}: answered {answer.status} when cut off after {boundary} statements")
        if await stand.database.digest(without=command.apart) == digest:
            continue
        if boundary != whole.statements:
            tally.wrong.append(f"{command.name}: something is final after {boundary} of {whole.statements} statements")
        if change(before, await stand.database.rows(without=command.apart)) != (whole.went, whole.came):
            tally.wrong.append(f"{command.name}: a part of it is final after {boundary} statements")
        tally.wrong += await _wrong_when_repeated(stand, command, send, whole)
        tally.retries += 1
        return


async def _undisturbed(stand: Stand, command: Command, tally: Tally) -> Whole:
    send = await command.prepare(stand)
    before = await stand.database.rows(without=command.apart)
    await _forget_connections(stand)
    stand.proxy.arm(None)
    answer = await send()
    statements = stand.proxy.sent
    went, came = change(before, await stand.database.rows(without=command.apart))
    if command.keyed and (await send()).body != answer.body:
        tally.wrong.append(f"{command.name}: the same key gave another body than the first answer")
    return Whole(answer, statements, went, came)


async def _crash(stand: Stand, send: Send, boundary: int) -> Answer | None:
    """Send the command to a service that dies at this boundary; None when it came to its end before that."""
    await _forget_connections(stand)
    stand.proxy.arm(boundary)
    answer = await send()
    has_cut = stand.proxy.has_cut
    stand.proxy.revive()
    if not has_cut:
        return None
    await until(stand.sessions_are_gone, seconds=60, what="the end of the broken sessions", pause=0.002)
    return answer


async def _forget_connections(stand: Stand) -> None:
    """Begin with no connection at all, so that statement number n is the same one each time."""
    await stand.pool.expire_connections()


async def _wrong_when_repeated(stand: Stand, command: Command, send: Send, whole: Whole) -> list[str]:
    """The caller never heard that it was done and asks again, twice."""
    digest = await stand.database.digest()
    first, second = await send(), await send()
    wrong = [f"{command.name}: trying again gave {each.status}" for each in (first, second) if each.status >= 500]
    if command.keyed:
        if (first.status, first.is_replayed) != (whole.answer.status, True) or first.body != second.body:
            wrong.append(f"{command.name}: the same key did not give the same answer: {first.status}, {second.status}")
        if await stand.database.digest() != digest:
            wrong.append(f"{command.name}: trying again with the same key had an effect")
    return wrong
