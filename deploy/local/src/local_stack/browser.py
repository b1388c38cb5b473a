"""A headless Chromium for tests: it comes out of a locked package of npm, with its own fonts and libraries, and without root."""

import os
from dataclasses import dataclass
from pathlib import Path

from local_stack.npm_packages import install_npm_packages

FLAGS = ("--no-zygote", "--disable-gpu", "--font-render-hinting=none", "--disable-dev-shm-usage")
"""For a machine without a screen, in a container whose shared memory is small."""


# The package's own file names folders of Amazon's machines. Only its fonts: pictures look the same everywhere.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@dataclass(frozen=True, slots=True)
class Browser:
    """Where the program is, and the environment that it needs."""

    program: Path
    environment: dict[str, str]


def install_browser() -> Browser:
    """Chromium, installed unless it is there; StackError without node, npm or a registry."""
    unpacked = install_npm_packages("browser", then=["node", "unpack.mjs"], also=["unpack.mjs"]) / "unpacked"
    libraries = os.pathsep.join(filter(None, [str(unpacked / "al2023" / "lib"), os.environ.get("LD_LIBRARY_PATH")]))
    fonts = unpacked / "fonts.conf"
    fonts.write_text(_FONTS.format(folder=unpacked / "fonts", cache=unpacked / "fonts-cache"))
    own = {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(fonts), "HOME": str(unpacked)}
    return Browser(unpacked / "chromium", {**os.environ, **own})
