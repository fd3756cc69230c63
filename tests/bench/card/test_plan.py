from collections.abc import Iterator

import pytest

from bench.card.parts.checks import Finding
from bench.card.plan import Found, Pace, Part, Progress, run_parts


class Clock:
    """A clock that moves only when a part runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def part(clock: Clock, name: str, estimated: float, importance: int, takes: float | None = None) -> Part:
    def run(tell: object) -> Found:
        clock.now += estimated if takes is None else takes
        return Found([Finding(name, True, "ran")])

    return Part(name, estimated, importance, run)


def ran(found: list[Found]) -> list[str]:
    return [finding.name for one in found for finding in one.findings]


def left_out(found: list[Found]) -> list[str]:
    return [sentence.split(":")[0] for one in found for sentence in one.left_out]


def test_all_parts_run_in_their_order_where_there_is_time(subject):
    clock = Clock()
    parts = [part(clock, "a", 10, 1), part(clock, "b", 10, 9)]
    assert ran(run_parts(parts, subject, 20, clock)) == ["a", "b"]


def test_the_least_important_part_gives_way_to_those_after_it(subject):
    clock = Clock()
    parts = [part(clock, "checks", 10, 9), part(clock, "speed", 10, 1), part(clock, "turns", 10, 5)]
    found = run_parts(parts, subject, 25, clock)
    assert ran(found) == ["checks", "turns"]
    assert left_out(found) == ["speed"]
    assert "about 10 s, for which no time was left" in found[1].left_out[0]


def test_a_part_that_took_longer_than_estimated_leaves_no_time_for_the_last(subject):
    clock = Clock()
    parts = [part(clock, "slow", 5, 9, takes=18), part(clock, "long", 10, 5), part(clock, "short", 1, 1)]
    found = run_parts(parts, subject, 20, clock)
    assert ran(found) == ["slow", "short"]
    assert left_out(found) == ["long"]


def test_a_part_that_ends_with_an_error_has_failed_and_the_next_still_runs(subject):
    clock = Clock()

    def fail(tell: object) -> Found:
        raise RuntimeError("no kernel image is available\nfor this device")

    first = subject.base
    found = run_parts([Part("broken", 1, 9, fail), part(clock, "next", 1, 9)], subject, 60, clock)
    [broken] = found[0].findings
    assert not broken.holds
    assert broken.words == "RuntimeError: no kernel image is available for this device"
    assert ran(found) == ["broken", "next"]
    assert subject.base is not first


def test_what_a_part_found_before_its_error_stays(subject):
    def half(tell: object) -> Iterator[Finding]:
        yield Finding("first", True, "fine")
        raise ValueError("no more")

    [found] = run_parts([Part("whole", 1, 9, half)], subject, 60, Clock())
    assert found.findings == [Finding("first", True, "fine"), Finding("whole", False, "ValueError: no more")]


@pytest.mark.parametrize(("is_card", "seconds"), [(False, 10 + 0.5 * (4 + 2 * 4)), (True, 10 + 0.5 * (4 + 2 * 8))])
def test_an_estimate_grows_with_the_time_of_a_call(is_card, seconds):
    assert Pace(0.5, is_card).seconds(10, calls=4, passes=2) == seconds


def test_the_bar_says_how_long_the_rest_lasts(capsys):
    clock = Clock()
    with Progress(100, 480) as progress:
        progress.begin(part(clock, "correctness", 60, 9))
        progress.tell("the rule woolf")
        progress.leave_out(part(clock, "decoding", 30, 1))
        progress.tell("the rule woolf")
    printed = capsys.readouterr().err
    assert "about 100 s left: the rule woolf" in printed
    assert "about 70 s left: the rule woolf" in printed
    assert "done" in printed
