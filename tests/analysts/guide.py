"""Takes the snippets out of docs/analysts.md."""

import re

from tools.steps import ROOT

GUIDE = (ROOT / "docs/analysts.md").read_text()
_SNIPPET = re.compile(
    r"(?:<!-- try: (?P<name>[a-z ]+) -->\n)?```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)

SNIPPETS = {found["name"]: found["text"] for found in _SNIPPET.finditer(GUIDE)}
"""By the name that stands above each; under None what has none."""
