"""The two pages behind an unsubscribe link, in the reader's language; they load nothing and run nothing."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from fastapi import Response

from notifications.domain.notices import Kind
from notifications.domain.unsubscribing import Unsubscription

_PAGE = """<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body>
</html>
"""
_FORM = '<form method="post"><button type="submit" name="List-Unsubscribe" value="One-Click">{button}</button></form>'

_KINDS: Mapping[str, Mapping[Kind, str]] = {
    "en": {Kind.APPOINTMENTS: "e-mails about appointments", Kind.REMINDERS: "reminders of appointments by e-mail"},
    "de": {Kind.APPOINTMENTS: "E-Mails zu Terminen", Kind.REMINDERS: "Erinnerungen an Termine per E-Mail"},
}
_ASKING: Mapping[str, tuple[str, str, str]] = {
    "en": ("Unsubscribe", "Do you want to get no more {kind}?", "Unsubscribe"),
    "de": ("Abbestellen", "Möchten Sie keine {kind} mehr bekommen?", "Abbestellen"),
}
_DONE: Mapping[str, tuple[str, str]] = {
    "en": ("Unsubscribed", "You will get no more {kind}. In Bloom you can change your mind at any time."),
    "de": ("Abbestellt", "Sie bekommen keine {kind} mehr. In Bloom können Sie das jederzeit ändern."),
}
# A form may go back to this address alone; nothing else is allowed.
_POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def asking_page(wish: Unsubscription, locale: str | None) -> str:
    """Asks once more, by a button."""
    language = _language(locale)
    title, text, button = _ASKING[language]
    form = _FORM.format(button=escape(button))
    return _PAGE.format(language=language, title=escape(title), text=escape(_about(text, language, wish)), form=form)


def done_page(wish: Unsubscription, locale: str | None) -> str:
    """Says that it is done."""
    language = _language(locale)
    title, text = _DONE[language]
    return _PAGE.format(language=language, title=escape(title), text=escape(_about(text, language, wish)), form="")


def page_response(page: str) -> Response:
    """A page that no browser keeps or frames."""
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


def _about(text: str, language: str, wish: Unsubscription) -> str:
    return text.format(kind=_KINDS[language][wish.kind])


def _language(locale: str | None) -> str:
    language = (locale or "").partition("-")[0]
    return language if language in _KINDS else "en"
