"""The loop by day and version."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from feedback.figures.trend import Day, Growth, days, growth
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.tables import Origin, Verdict

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REJECT, KEEP = Verdict.reject, Verdict.keep


def test_a_day_counts_the_votes_on_sampled_images_that_still_hold(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    publish_version(any_engine, 1)
    fill(any_engine, images=2)
    fill(any_engine, images=2, version=1)
    fill(any_engine, images=1, origin=Origin.evaluation)
    next_images(any_engine, "ann", Terms(9, 600), count=9)
    first = [(1, REJECT), (2, KEEP), (3, REJECT), (4, REJECT), (5, REJECT)]
    later = [(2, REJECT), (4, Verdict.undo)]
    for day, votes in enumerate((first, later)):
        presses = [Press(f"{day} {image}", image, verdict) for image, verdict in votes]
        record_votes(any_engine, "ann", presses, Terms(9, 600), now=lambda day=day: NOON + timedelta(days=day))
    today, tomorrow = NOON.date(), NOON.date() + timedelta(days=1)
    assert days(any_engine) == [Day(today, 0, 1, 0), Day(today, 1, 1, 0), Day(tomorrow, 0, 1, 0)]


def test_growth_adds_up_the_rejects_over_all_versions() -> None:
    one, two = NOON.date(), NOON.date() + timedelta(days=1)
    found = [Day(one, 0, 2, 3), Day(one, 1, 1, 0), Day(two, 1, 4, 1)]
    assert growth(found) == [Growth(one, 6, 3), Growth(two, 5, 7)]
    assert growth([]) == []


def test_a_day_has_a_rate_and_its_interval() -> None:
    day = Day(NOON.date(), 0, 1, 1)
    assert day.rate == 0.5
    assert [round(end, 4) for end in day.interval] == [0.0945, 0.9055]
