"""Colours: legible in both themes, and red for Reject only."""

import re
from itertools import pairwise
from pathlib import Path

import ui
from ui.dashboard.charts import DARK, LIGHT

UI = Path(ui.__file__).parent
PAPER = ("#ffffff", "#1e1c1a")
REJECTS = r"reject|\.no\b|\[aria-pressed=true\]|\.cell b|\.whose|\.swipes span:first-child"
"""What stands for a reject: the word, a picture marked in sweep, the reasons of the picture just rejected, a swipe."""


def luminance(colour: str) -> float:
    """Relative luminance. Source: WCAG 2.2."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_version_can_be_seen_in_both_themes_and_told_from_its_neighbours():
    css = (UI / "dashboard" / "html" / "figures.css").read_text(encoding="utf-8")
    colours = re.findall(r"\.ns-v\d \{ --version: light-dark\((#\w{6}), (#\w{6})\)", css)
    assert len(colours) == 8
    for theme in zip(*colours, strict=True):
        paper = PAPER[colours[0].index(theme[0])]
        assert all(contrast(colour, paper) >= 3 for colour in theme)
        assert all(one != other for one, other in pairwise(theme))


def test_the_text_of_charts_is_legible_in_both_themes():
    for ink, paper in zip((LIGHT, DARK), PAPER, strict=True):
        assert contrast(ink.text, paper) >= 4.5
        assert min(contrast(ink.first, paper), contrast(ink.second, paper)) >= 3


def test_red_means_reject_only():
    for sheet in UI.rglob("*.css"):
        css = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
        for selector, _ in re.findall(r"([^{}]+)\{([^{}]*var\(--no(?:-soft)?\)[^{}]*)\}", css):
            assert re.search(REJECTS, selector), f"{sheet.relative_to(UI)}: {selector.strip()}"
