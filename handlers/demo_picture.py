"""The demo's result as a picture: the tables that answer "what would have been known, and when" as one SVG, for the
README and for whoever would rather look than read. Drawn by rich from the same tables that the terminal shows.
"""

from __future__ import annotations

import re
from io import StringIO

from rich.console import Console

from handlers.demo_print import Report, print_summary

WIDTH = 122
"""Columns of the picture."""

_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def picture(report: Report) -> str:
    """The summary of `report` as SVG. It asks nobody for fonts: a viewer takes its own."""
    console = Console(record=True, file=StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor")
    print_summary(report, console)
    return _WEB_FONTS.sub("", console.export_svg(title="make demo", unique_id="demo"))
