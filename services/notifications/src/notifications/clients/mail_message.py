"""A letter as an e-mail: plain text, the same as HTML, and for appointments the calendar object."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from notifications.clients.calendar import method_of, render_calendar
from notifications.clients.composing import Words
from notifications.domain.notices import Kind, Notification
from notifications.domain.providing import Letter

_POLICY = SMTP.clone(cte_type="7bit")

_PAGE = """\
<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{subject}</title></head>
<body style="margin:0;padding:24px;background:#f6f6f3;color:#222;font:16px/1.5 sans-serif">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#fff;border-radius:8px">
{paragraphs}
<p><a href="{url}" style="display:inline-block;padding:12px 20px;background:#2f6f5e;color:#fff;border-radius:6px">{link}</a></p>
</div>
<p style="max-width:560px;margin:16px auto;font-size:13px;color:#666">{footer}</p>
</body></html>
"""


def message_id(notification: Notification, domain: str) -> str:
    """The same at every attempt, so that a mail that comes twice shows once, and the provider can be asked for it."""
    return f"<{notification.id.hex}@{domain}>"


def build_mail(letter: Letter, words: Words, *, sender: str) -> EmailMessage:
    """The whole message; raises ValueError for an address that no header can hold."""
    notification = letter.notification
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address("Bloom", addr_spec=sender)
    mail["To"] = _address(letter.address)
    mail["Subject"] = words.subject
    mail["Date"] = format_datetime(notification.created_at)
    mail["Message-ID"] = message_id(notification, sender.rpartition("@")[2])
    mail["Content-Language"] = words.language
    mail["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_plain(letter, words))
    mail.add_alternative(_html(letter, words), subtype="html")
    if notification.template.kind is not Kind.SAFETY:
        _add_calendar(mail, letter, words, sender)
    return mail


def _address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    # What the library raises depends on where it stumbles.
    except (HeaderParseError, IndexError) as error:
        raise ValueError("not an address") from error


def _plain(letter: Letter, words: Words) -> str:
    parts = [*words.sentences, f"{words.link}:\n{words.url}", "-- ", words.footer]
    if letter.unsubscribe_url:
        parts.append(f"{words.unsubscribe}:\n{letter.unsubscribe_url}")
    return "\n\n".join(parts) + "\n"


def _html(letter: Letter, words: Words) -> str:
    footer = escape(words.footer)
    if letter.unsubscribe_url:
        footer += f'<br><a href="{escape(letter.unsubscribe_url)}" style="color:#666">{escape(words.unsubscribe)}</a>'
    return _PAGE.format(
        language=words.language,
        subject=escape(words.subject),
        paragraphs="\n".join(f"<p>{escape(sentence)}</p>" for sentence in words.sentences),
        url=escape(words.url),
        link=escape(words.link),
        footer=footer,
    )


def _add_calendar(mail: EmailMessage, letter: Letter, words: Words, sender: str) -> None:
    """Twice: calendars that work with invitations read the alternative, people open the file."""
    calendar = render_calendar(letter.notification, words, organizer=sender, attendee=letter.address)
    method = method_of(letter.notification)
    mail.add_alternative(calendar.decode(), subtype="calendar", charset="utf-8", params={"method": method})
    mail.add_attachment(calendar, maintype="application", subtype="ics", filename="appointment.ics")
