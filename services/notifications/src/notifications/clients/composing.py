"""Puts a letter into words: its reader's language, their time zone, and the link that it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name

from notifications.clients.texts import FALLBACK, LANGUAGES
from notifications.clients.texts.wording import Language
from notifications.domain.notices import Kind, Notification
from notifications.domain.providing import Letter
from notifications.domain.wall_clock import zone_of


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says, before it becomes a mail, an SMS or a push message."""

    language: str
    subject: str
    sentences: tuple[str, ...]
    link: str
    url: str
    short: str
    footer: str
    unsubscribe: str
    summary: str


def compose(letter: Letter, portal_url: str) -> Words:
    """The words of a letter; `portal_url` is where people use Bloom."""
    locale = _locale(letter.locale)
    language = LANGUAGES[locale.language]
    wording = language.wordings[letter.notification.template]
    gaps = _gaps(letter.notification, language, locale, zone_of(letter.time_zone))
    return Words(
        language=locale.language,
        subject=wording.subject.format_map(gaps),
        sentences=tuple(sentence.format_map(gaps) for sentence in wording.sentences),
        link=wording.link,
        url=_url(letter.notification, portal_url),
        short=wording.short.format_map(gaps),
        footer=language.footer,
        unsubscribe=language.unsubscribe,
        summary=language.summary,
    )


def moment_of(notification: Notification, fact: str) -> datetime:
    """A time among the facts of a notification; raises KeyError when it has none of this name."""
    return datetime.fromisoformat(str(notification.facts[fact]))


def _locale(tag: str | None) -> Locale:
    """The reader's locale if there are texts in its language, else the fallback's."""
    try:
        locale = Locale.parse(tag or FALLBACK, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale(FALLBACK)
    return locale if locale.language in LANGUAGES else Locale(FALLBACK)


def _gaps(notification: Notification, language: Language, locale: Locale, zone: tzinfo) -> dict[str, str]:
    facts = {"when": "starts_at", "was": "previous_starts_at"}
    gaps = {
        gap: _plain_spaces(_long(moment_of(notification, fact).astimezone(zone), language, locale))
        for gap, fact in facts.items()
        if fact in notification.facts
    }
    if "starts_at" in notification.facts:
        start = moment_of(notification, "starts_at").astimezone(zone)
        date = format_date(start, "EEE d MMM" if locale.language != "de" else "EEE d. MMM", locale=locale)
        gaps["day"] = _plain_spaces(language.at_short.format(date=date, time=format_time(start, "short", locale=locale)))
    return gaps


def _long(moment: datetime, language: Language, locale: Locale) -> str:
    date, time = format_date(moment, "full", locale=locale), format_time(moment, "short", locale=locale)
    return language.at.format(date=date, time=time, zone=get_timezone_name(moment, "long", locale=locale))


def _plain_spaces(text: str) -> str:
    """Locales put narrow and no-break spaces between figures; an SMS with one of them is three times as long."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def _url(notification: Notification, portal_url: str) -> str:
    place = "alerts" if notification.template.kind is Kind.SAFETY else "appointments"
    # The reference makes every SMS a different text, by which the provider can be asked for it.
    return f"{portal_url}/{place}/{notification.about}?n={notification.reference}"
