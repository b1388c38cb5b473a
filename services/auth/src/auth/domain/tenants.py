"""Organisations: each has a short name that people and addresses use."""

import re

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
