"""The dashboard in a real browser: it loads without breaking its own policy, draws, follows changes, and can be read as tables.

Auth is another service: what it answers to the page stands in for it here. Pictures of the page are kept in `results/screens`.
"""

import json
import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, Route, async_playwright, expect

from local_stack.browser import FLAGS, Browser
from local_stack.paths import ROOT

SCREENS = ROOT / "results" / "screens"
LIMIT_MS = 30_000
expect.set_options(timeout=LIMIT_MS)
PATH = "/api/analytics/dashboard"

A_DAY = {
    "appointments.booked": 24, "appointments.cancelled": 4, "appointments.completed": 17, "appointments.missed": 2,
    "messages.sent": 160, "risk.scored": 90, "alerts.raised": 3, "alerts.escalated": 1, "people.signed-up": 5,
    "people.signed-in": 80,
}  # fmt: skip


def this_day() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
async def chromium(browser: Browser) -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=browser.program, args=list(FLAGS), env=dict(browser.environment)
        )
        yield started
        await started.close()


@pytest.fixture
async def url(served, make_app, clock) -> AsyncIterator[str]:
    # Browsers go by the real time.
    clock.moment = datetime.now(UTC)
    async with served(make_app(stream_beat_seconds=0.5)) as url:
        yield url


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about, such as something that the page's policy forbids."""
    return []


@pytest.fixture
async def visit(chromium: Chromium, url: str, complaints: list[str]) -> AsyncIterator[Callable[..., Any]]:
    """Opens the page as somebody who is signed in in this browser, or as nobody."""
    opened: list[BrowserContext] = []

    async def visit(token: str | None, **options: Any) -> Page:
        context = await chromium.new_context(**{"viewport": {"width": 1440, "height": 1000}, "locale": "en-GB", **options})
        opened.append(context)
        context.set_default_timeout(LIMIT_MS)
        page = await context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if token is not None:
            await sign_in_browser(context, url, token)
        await page.goto(url + PATH)
        return page

    yield visit
    for context in opened:
        await context.close()


async def sign_in_browser(context: BrowserContext, url: str, token: str) -> None:
    async def refresh(route: Route) -> None:
        known = route.request.headers.get("x-csrf-token") == "csrf-of-this-session"
        await route.fulfill(status=200 if known else 401, json=signed_in(token) if known else {})

    await context.add_cookies([{"name": "bloom_csrf", "value": "csrf-of-this-session", "url": url}])
    await context.route("**/api/auth/refresh", refresh)


def signed_in(token: str) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": 600, "csrf_token": "csrf-of-this-session", "user": {}}


async def fill(practice) -> None:
    """A fortnight of a busy practice."""
    for ago in range(14):
        day, wave = this_day() - timedelta(days=ago), 1 + math.sin(ago * 0.9) / 3
        for metric, n in A_DAY.items():
            await practice.add(metric, day, round(n * wave))
        await practice.add("alerts.open", day, 5, 1 if ago % 2 else -1)
        await practice.add("appointments.no-show-rate", day - timedelta(days=7), 120, 9 + ago % 4, span="week-by-day")
        await practice.add("people.active", day, members=[f"{number}".encode() for number in range(round(40 * wave))])
        for metric, scale in (
            ("appointments.lead-time", 86_400),
            ("risk.time-to-score", 0.4),
            ("alerts.time-to-acknowledge", 70),
        ):
            await practice.add(metric, day, values=[scale * wave * (1 + number / 9) for number in range(12)])
        for currency, scale in (("EUR", 190_000), ("CHF", 60_000)):
            for metric, share in (("revenue.invoiced", 1.0), ("revenue.paid", 0.8), ("revenue.outstanding", 0.2)):
                await practice.add(metric, day, 9, round(scale * share * wave), group={"currency": currency})
    await practice.tell(datetime.now(UTC))


def card(page: Page, metric: str):
    return page.locator(f'[data-metric="{metric}"]')


@pytest.mark.promise("AN4")
async def test_the_page_draws_every_metric_follows_changes_and_breaks_no_policy(visit, practice, complaints):
    await fill(practice)
    for role in ("PATIENT", "PATIENT", "PATIENT", "THERAPIST", "ADMINISTRATOR"):
        await practice.register(role, at=datetime.now(UTC) - timedelta(days=2))

    page = await visit(practice.token())
    await expect(page.locator("#live")).to_have_text("Live")
    await expect(page.locator("body")).to_have_attribute("data-ready", "true")
    figure = card(page, "appointments.booked").locator(".figure strong")
    before = int(await figure.inner_text())
    await practice.add("appointments.booked", this_day(), 5)
    await practice.tell(datetime.now(UTC))

    await expect(figure).to_have_text(str(before + 5))
    assert await page.locator(".card").count() == await page.locator(".card canvas").count() == 19
    assert await page.locator('[data-stat="totalUsers"]').inner_text() == "5"
    await keep(page, "dashboard")
    assert complaints == []


async def test_the_same_numbers_stand_in_a_table_and_the_charts_have_names(visit, practice):
    await practice.add("appointments.booked", this_day(), 7)
    page = await visit(practice.token())
    booked = card(page, "appointments.booked")

    await booked.locator("summary").click()

    await expect(booked.locator("tbody tr").first).to_contain_text("7")
    assert await booked.locator("tbody tr").count() == 7
    assert await booked.get_by_role("img").get_attribute("aria-label") == (
        "Booked: 7 in this range. The table below has every window."
    )
    assert await page.get_by_label("Range", exact=True).evaluate("each => each.value") == "week"
    assert await unnamed(page) == []


async def test_another_range_loads_other_windows(visit, practice):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    await practice.add("appointments.booked", hour, 3, span="hour")
    page = await visit(practice.token())
    figure = card(page, "appointments.booked").locator(".figure strong")
    await expect(figure).to_have_text("0")

    await page.get_by_label("Range", exact=True).select_option("day")

    await expect(figure).to_have_text("3")


async def test_a_therapist_sees_the_cards_that_are_theirs(visit, practice):
    own = {"therapist_id": str(practice.therapist)}
    await practice.add("appointments.booked", this_day(), 40)
    await practice.add("appointments.booked", this_day(), 2, group=own)
    page = await visit(practice.token("THERAPIST", subject=practice.therapist))
    figure = card(page, "appointments.booked").locator(".figure strong")
    await expect(figure).to_have_text("2")
    await expect(card(page, "messages.sent")).to_be_hidden()

    await practice.add("appointments.booked", this_day(), 1, group=own)
    await practice.tell(datetime.now(UTC))

    await expect(figure).to_have_text("3")
    await expect(page.get_by_role("heading", name="Revenue")).to_be_hidden()
    await expect(page.locator("#tiles")).to_be_hidden()
    await keep(page, "dashboard-therapist")


async def test_a_patient_is_told_that_nothing_is_here_for_them(visit, practice):
    page = await visit(practice.token("PATIENT"))
    await expect(page.get_by_role("alert").filter(has_text="nothing here for your role")).to_be_visible()


async def test_whoever_is_not_signed_in_signs_in_here(visit, practice, url):
    page = await visit(None)
    asked: list[dict[str, str]] = []

    async def sign_in(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "{}"))
        right = asked[-1]["password"] == "the right one"
        await route.fulfill(status=200 if right else 401, json=signed_in(practice.token()) if right else {})

    await page.context.route("**/api/auth/sign-in", sign_in)
    await page.get_by_label("E-mail").fill("administrator@practice.test")
    await page.get_by_label("Password").fill("another one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert").filter(has_text="wrong")).to_be_visible()
    await keep(page, "dashboard-sign-in")
    await page.get_by_label("Password").fill("the right one")
    await page.get_by_role("button", name="Sign in").click()

    await expect(page.locator("#live")).to_have_text("Live")
    assert [set(each) for each in asked] == [{"email", "password"}] * 2


async def test_it_fits_a_phone_and_a_dark_room(visit, practice, complaints):
    await fill(practice)
    page = await visit(practice.token(), viewport={"width": 390, "height": 800}, color_scheme="dark")
    await expect(page.locator("body")).to_have_attribute("data-ready", "true")

    width = await page.evaluate("document.documentElement.scrollWidth")

    await keep(page, "dashboard-phone")
    assert width <= 390
    assert complaints == []


async def test_the_page_and_its_files_hold_no_numbers_and_say_what_they_may_load(api):
    page = await api.get(PATH)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "style=" not in page.text
    for name in ("dashboard.js", "session.js", "stream.js", "charts.js", "dashboard.css", "uplot.js", "uplot.css"):
        assert f"{PATH}/{name}" in page.text
        assert (await api.get(f"{PATH}/{name}")).status_code == 200
    for wrong in ("nothing.js", "..%2fmain.py", "dashboard.html"):
        response: httpx.Response = await api.get(f"{PATH}/{wrong}")
        assert response.status_code == 404


async def keep(page: Page, name: str) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENS / f"{name}.png", full_page=True)


async def unnamed(page: Page) -> list[str]:
    """Controls and pictures without a name that a screen reader could say."""
    script = """() => [...document.querySelectorAll('input, select, button, summary, [role=img], [role=region], table')]
        .filter((each) => each.checkVisibility())
        .filter((each) => !(each.ariaLabel || each.labels?.length || each.textContent.trim() || each.caption?.textContent))
        .map((each) => each.outerHTML.slice(0, 80))"""
    found: list[str] = await page.evaluate(script)
    return found
