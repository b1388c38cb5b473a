"""Every text in every language: complete, in the reader's time, and without a word about why somebody comes."""

import re
import string
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.ids import NotificationId, UserId
from bloom_events.notifications import Channel
from notifications.clients.composing import compose
from notifications.clients.mail_message import build_mail
from notifications.clients.texts import FALLBACK, LANGUAGES
from notifications.domain.notices import Kind, Notification, Template, Urgency
from notifications.domain.providing import Letter

STARTS_AT = datetime(2035, 11, 5, 15, 30, tzinfo=UTC)
CLINICAL = re.compile(
    r"""(?ix) suicid | selbstm | selbsttöt | suizid | risk | risiko | crisis | krise | danger | gefahr | emergenc | notfall
    | patient | client | klient | therap | psych | diagnos | depress | anxi | angst | stress | bipolar | disorder | störung
    | symptom | clinic | klinik | treat | behandl | session | sitzung | health | gesund | mental | message | nachricht | wrote
    | schrieb | doctor | arzt | ärzt | dr\. | alert | alarm"""
)
"""What may not be read on a locked screen. Message and alert are in it too: neither is needed to call somebody."""

GAPS = {"when", "was", "day"}


def letter(template: Template, channel: Channel = Channel.EMAIL, **reader: Any) -> Letter:
    facts: dict[str, str | int] = {
        "starts_at": STARTS_AT.isoformat(),
        "ends_at": (STARTS_AT + timedelta(minutes=50)).isoformat(),
        "previous_starts_at": (STARTS_AT - timedelta(days=1)).isoformat(),
        "sequence": 3,
    }
    notification = Notification(
        id=NotificationId(uuid4()),
        user_id=UserId(uuid4()),
        channel=channel,
        template=template,
        about=uuid4(),
        occasion="revision_3",
        urgency=Urgency.ROUTINE,
        due_at=None,
        expires_at=STARTS_AT,
        created_at=STARTS_AT - timedelta(days=3),
        facts={} if template.kind is Kind.SAFETY else facts,
    )
    link = None if template.kind is Kind.SAFETY else "https://api.example/api/notifications/unsubscribe?token=AAAA"
    return Letter(notification, "somebody@people.example", unsubscribe_url=link, **reader)


class Shown(HTMLParser):
    """What a reader sees of a page, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.open_tags = "", [], 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open_tags += tag not in {"meta", "br"}
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, _tag: str) -> None:
        self.open_tags -= 1

    def handle_data(self, data: str) -> None:
        self.text += data


def everything_in(template: Template, locale: str) -> str:
    """All that any channel shows of a text."""
    mail = build_mail(
        letter(template, locale=locale), compose(letter(template, locale=locale), "https://p"), sender="a@b.example"
    )
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    words = compose(letter(template, locale=locale), "https://p")
    calendars = [part.get_content() for part in mail.walk() if part.get_content_type() == "text/calendar"]
    return "\n".join([str(mail["Subject"]), plain.get_content(), html.get_content(), words.short, words.subject, *calendars])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text(language: str) -> None:
    assert set(LANGUAGES[language].wordings) == set(Template)


@pytest.mark.promise("AL4")
@pytest.mark.parametrize("template", list(Template))
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_no_text_has_a_clinical_word_in_any_channel(template: Template, locale: str) -> None:
    # The id of what it is about, and the path of the page that shows it, are not read by anybody.
    said = re.sub(r"https://\S+", "", everything_in(template, locale))

    assert CLINICAL.findall(said) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", list(Template))
def test_a_text_has_no_gap_that_nothing_fills_and_no_long_sms(language: str, template: Template) -> None:
    wording = LANGUAGES[language].wordings[template]
    texts = [wording.subject, *wording.sentences, wording.link, wording.short]
    gaps = {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}

    assert gaps <= (GAPS if template.kind is not Kind.SAFETY else set())
    assert len(compose(letter(template, locale=language), "https://portal.example").short) <= 100


@pytest.mark.parametrize("template", list(Template))
def test_html_and_plain_text_say_the_same_and_the_html_is_closed(template: Template) -> None:
    words = compose(letter(template, locale="de"), "https://portal.example")
    mail = build_mail(letter(template, locale="de"), words, sender="no-reply@bloom.example")
    html = mail.get_body(("html",))
    assert html is not None
    shown = Shown()
    shown.feed(html.get_content())

    assert shown.open_tags == 0
    assert all(sentence in shown.text for sentence in words.sentences)
    assert any(link.startswith("https://portal.example/") for link in shown.links)
    assert bool(mail["List-Unsubscribe"]) is (template.kind is not Kind.SAFETY)


@pytest.mark.parametrize(
    ("locale", "zone", "when"),
    [
        ("en-GB", "Europe/London", "Monday, 5 November 2035 at 15:30 (Greenwich Mean Time)"),
        ("en-US", "America/Los_Angeles", "Monday, November 5, 2035 at 7:30 AM (Pacific Standard Time)"),
        ("de-AT", "Europe/Vienna", "Montag, 5. November 2035 um 16:30 (Mitteleuropäische Normalzeit)"),
        ("de", "Asia/Kolkata", "Montag, 5. November 2035 um 21:00 (GMT+05:30)"),
        ("fr-FR", "Europe/Paris", "Monday, November 5, 2035 at 4:30 PM (Central European Standard Time)"),
        (None, None, "Monday, November 5, 2035 at 3:30 PM (Coordinated Universal Time)"),
        ("zz-bogus", "Mars/Olympus", "Monday, November 5, 2035 at 3:30 PM (Coordinated Universal Time)"),
    ],
)
def test_times_are_the_readers_own(locale: str | None, zone: str | None, when: str) -> None:
    words = compose(letter(Template.APPOINTMENT_CONFIRMED, locale=locale, time_zone=zone), "https://portal.example")

    assert when in words.sentences[0]
    assert words.language in {"en", "de"}
    assert FALLBACK == "en"


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nBcc: c@d.example", "two words@b.example", "<script>@b.example", "@b.example", ""]
)
def test_an_address_that_would_break_out_of_its_header_makes_no_mail(address: str) -> None:
    broken = Letter(letter(Template.ALERT_CALLED).notification, address)

    with pytest.raises(ValueError, match=r".*"):
        build_mail(broken, compose(broken, "https://p"), sender="no-reply@bloom.example")


def test_two_sms_about_the_same_thing_are_two_different_texts() -> None:
    first, second = (compose(letter(Template.ALERT_CALLED, Channel.SMS), "https://p") for _ in range(2))

    assert first.url.partition("?n=")[2] != second.url.partition("?n=")[2]
