"""The report as a badge: a small SVG that says which level is reached.

Nothing lies below. It names no font file and no address, so that it looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from animus_conformance.judgement import Report
from animus_conformance.verdict import Level

__all__ = ["as_badge"]

_LABEL: Final = "animus"
_COLOURS: Final[Mapping[Level | None, str]] = {
    None: "#c0392b",
    Level.L0: "#d35400",
    Level.L1: "#b7950b",
    Level.L2: "#7d8f16",
    Level.L3: "#2e8b3d",
    Level.L4: "#1a7f5a",
}
_UNKNOWN: Final = "#777777"
_CHAR_PX: Final = 6.6
_PADDING_PX: Final = 6

_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {value}">
<title>{label}: {value}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{split}" height="20" fill="#444444"/>
<rect x="{split}" width="{rest}" height="20" fill="{colour}"/>
</g>
<g fill="#ffffff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">
<text x="{padding}" y="14" textLength="{label_px}">{label}</text>
<text x="{value_x}" y="14" textLength="{value_px}">{value}</text>
</g>
</svg>
"""


def as_badge(report: Report) -> str:
    """`animus | L3` in the level's colour; `none` where no level is reached, `partial` where not all was judged."""
    value = "partial" if not report.complete else report.highest or "none"
    label_px, value_px = _width_px(_LABEL), _width_px(value)
    split, rest = label_px + 2 * _PADDING_PX, value_px + 2 * _PADDING_PX
    return _SVG.format(
        label=_LABEL,
        value=value,
        width=split + rest,
        split=split,
        rest=rest,
        padding=_PADDING_PX,
        value_x=split + _PADDING_PX,
        label_px=label_px,
        value_px=value_px,
        colour=_COLOURS[report.highest] if report.complete else _UNKNOWN,
    )


def _width_px(text: str) -> int:
    """How wide `text` is drawn: the viewer is told, and stretches its own font to it."""
    return round(len(text) * _CHAR_PX)
