"""German."""

from __future__ import annotations

from notifications.clients.texts.wording import Language, Wording
from notifications.domain.notices import Template

_SHOW = "Termin ansehen"
_IN_CALENDAR = "Mit der angehängten Datei kommt er in Ihren Kalender."
_CALL = (
    "Jemand wartet auf Ihre Antwort.",
    "Bitte melden Sie sich jetzt bei Bloom an und antworten Sie dort. Eine Antwort auf diese E-Mail wird nicht gelesen.",
)

GERMAN = Language(
    wordings={
        Template.APPOINTMENT_BOOKED: Wording(
            "Termin gebucht: {day}",
            ("Ihr Termin ist gebucht: {when}.", "Sobald er bestätigt ist, hören Sie von uns.", _IN_CALENDAR),
            _SHOW,
            "Termin gebucht: {day}.",
        ),
        Template.APPOINTMENT_CONFIRMED: Wording(
            "Termin bestätigt: {day}",
            ("Ihr Termin ist bestätigt: {when}.", _IN_CALENDAR),
            _SHOW,
            "Termin bestätigt: {day}.",
        ),
        Template.APPOINTMENT_NEW: Wording(
            "Neuer Termin: {day}",
            ("Sie haben einen neuen Termin: {when}.", "Bitte bestätigen Sie ihn in Bloom.", _IN_CALENDAR),
            _SHOW,
            "Neuer Termin: {day}.",
        ),
        Template.APPOINTMENT_RESCHEDULED: Wording(
            "Termin verschoben: {day}",
            ("Ihr Termin ist verschoben auf {when}.", "Geplant war {was}.", _IN_CALENDAR),
            _SHOW,
            "Termin verschoben auf {day}.",
        ),
        Template.APPOINTMENT_CANCELLED: Wording(
            "Termin abgesagt: {day}",
            ("Ihr Termin findet nicht statt: {when}.", "Die angehängte Datei nimmt ihn aus Ihrem Kalender."),
            _SHOW,
            "Termin abgesagt: {day}.",
        ),
        Template.REMINDER_DAY_BEFORE: Wording(
            "Erinnerung: {day}",
            (
                "Wir erinnern an Ihren Termin: {when}.",
                "Wenn Sie nicht kommen können, sagen Sie ihn bitte rechtzeitig in Bloom ab.",
            ),
            _SHOW,
            "Erinnerung: Termin {day}.",
        ),
        Template.REMINDER_HOUR_BEFORE: Wording(
            "In einer Stunde: {day}",
            ("Ihr Termin beginnt in einer Stunde: {when}.",),
            _SHOW,
            "Ihr Termin beginnt in einer Stunde: {day}.",
        ),
        Template.ALERT_CALLED: Wording(
            "Bitte öffnen Sie jetzt Bloom", _CALL, "Bloom öffnen", "Bitte öffnen Sie jetzt Bloom und antworten Sie."
        ),
        Template.ALERT_HANDED_OVER: Wording(
            "Bitte übernehmen Sie jetzt in Bloom",
            ("Jemand aus Ihrem Team bittet Sie zu übernehmen.", *_CALL[1:]),
            "Bloom öffnen",
            "Jemand aus Ihrem Team bittet Sie, jetzt in Bloom zu übernehmen.",
        ),
    },
    at="{date} um {time} ({zone})",
    at_short="{date}, {time}",
    summary="Termin",
    footer="Bloom hat diese E-Mail selbsttätig verschickt.",
    unsubscribe="Keine E-Mails dieser Art mehr",
)
