"""The words of every notification, one module per language; English stands in for what is missing."""

from __future__ import annotations

from collections.abc import Mapping

from notifications.clients.texts import de, en
from notifications.clients.texts.wording import Language

LANGUAGES: Mapping[str, Language] = {"en": en.ENGLISH, "de": de.GERMAN}

FALLBACK = "en"
