"""The overview: the state of the loop, drawn again every two seconds."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.figures.comparable import unlike_rates
from feedback.figures.summary import Standing, VersionRow, standing, version_rows
from feedback.figures.trend import days, growth
from feedback.policy import rejects_needed
from feedback.pool.damage import damage_words, damaged_pictures
from feedback.pool.pool import Due, how_due
from feedback.sample.requests import NO_WORKER, is_worker_alive
from feedback.versions import PLAIN, events
from store.phrases import plural
from store.settings import Settings
from store.tables import Action, AliasEvent, Run, RunStatus
from ui.dashboard.curves import show_history
from ui.dashboard.disk import disk_words
from ui.signin.powers import fragment, guard, store_of
from ui.web.phrases import percent
from ui.web.pieces import axis_end, data_line
from ui.web.process import settings
from ui.web.templates import render
from ui.words import in_hand_words

PAGE = "Overview"
EVENTS = 8
engine = partial(store_of, PAGE)


@guard(PAGE)
def overview_page() -> None:
    """The loop in five steps, whether it helps, what happened last; then the loop over time and its disk use."""
    _live()
    found = days(engine())
    show_history(found, growth(found), events(engine()))
    st.html(data_line(disk_words(engine(), settings(), standing(engine()).drawn)))


@fragment(PAGE, run_every=2)
def _live() -> None:
    st.html(overview_html(engine(), settings()))


class Bar(NamedTuple):
    """A progress bar; screen readers say `label`."""

    part: float
    whole: float
    label: str


class Step(NamedTuple):
    """One of the five boxes of the loop."""

    name: str
    figure: str
    meaning: str
    more: str
    bar: Bar | None = None
    is_active: bool = False


def overview_html(engine: Engine, settings: Settings) -> Markup:
    """What the page says about the loop now."""
    now, rows = standing(engine), version_rows(engine)
    due = how_due(engine, rejects_needed(settings), settings.rater_share)
    base = next((row for row in rows if row.number == PLAIN), None)
    champion = next((row for row in rows if "champion" in row.aliases), None)
    compared = [row for row in dict.fromkeys([champion, base]) if row is not None]
    damaged = filter(None, [damage_words(damaged_pictures(engine))])
    return render(
        "dashboard/html/overview.html",
        based_on=[
            f"{plural(now.votes, 'vote')} by {plural(now.raters, 'rater')} (the latest of each rater on each picture)",
            f"{now.judged:,} of {plural(now.drawn, 'picture')} judged, drawn from {plural(now.prompts, 'prompt')}",
        ],
        steps=[_draw(now), _rate(now), _pool(now), _retrain(due, now.run), _live_version(rows, champion)],
        effect=effect_words(champion, base),
        warnings=[
            *([] if is_worker_alive(engine) else [NO_WORKER]),
            *damaged,
            *now.damaged,
            *unlike_rates(engine, champion.number if champion else PLAIN),
        ],
        compared=compared,
        champion=champion,
        end=axis_end(compared),
        rate_words=rate_words,
        events=events(engine)[:EVENTS],
        event_words=event_words,
    )


def _draw(now: Standing) -> Step:
    """What waits, and how far the workers are with what comes next."""
    so_far = f"{now.drawn:,} drawn so far"
    step = Step("Draw", f"{now.waiting:,}", "waiting to be rated", so_far)
    if not now.in_hand:
        return step
    done, steps = sum(hand.step for hand in now.in_hand), sum(hand.steps for hand in now.in_hand)
    words = "; ".join(in_hand_words(hand) for hand in now.in_hand)
    bar = Bar(done, steps or 1, "progress of the pictures being drawn")
    return step._replace(more=f"{so_far}; {words}", bar=bar)


def _rate(now: Standing) -> Step:
    meaning = "vote today" if now.votes_today == 1 else "votes today"
    return Step("Rate", f"{now.votes_today:,}", meaning, f"{now.votes:,} in all by {plural(now.raters, 'rater')}")


def _pool(now: Standing) -> Step:
    disputed = f", {now.disputed:,} disputed" if now.disputed else ""
    meaning = "reject" if now.rejects == 1 else "rejects"
    return Step("Pool", f"{now.rejects:,}", meaning, f"{plural(now.keeps, 'keep')}{disputed}")


def _retrain(due: Due, last: Run | None) -> Step:
    if last is not None and last.status is RunStatus.running:
        return _running(last)
    missing = max(0, due.needed - due.new_rejects)
    more = f"{due.new_rejects:,} of {plural(due.needed, 'new reject')}{_last_words(last)}"
    bar = Bar(due.new_rejects, due.needed, "new rejects until the next retrain")
    if not missing:
        return Step("Retrain", "Now", "a retrain is due", more, bar, is_active=True)
    return Step("Retrain", f"{missing:,}", "reject to go" if missing == 1 else "rejects to go", more, bar)


def _running(run: Run) -> Step:
    figure = percent(run.step / run.steps) if run.steps else percent(0)
    more = run.message or f"step {run.step:,} of {run.steps:,}"
    bar = Bar(run.step, run.steps or 1, "progress of the retrain")
    return Step("Retrain", figure, "of a retrain", more, bar, is_active=True)


def _last_words(last: Run | None) -> str:
    """How the last retrain ended, where it made no version."""
    if last is None or last.status not in (RunStatus.failed, RunStatus.interrupted):
        return ""
    ended = "failed" if last.status is RunStatus.failed else "was interrupted"
    return f"; the last retrain {ended}" + (f": {last.message}" if last.message else "")


def _live_version(rows: Sequence[VersionRow], champion: VersionRow | None) -> Step:
    """The champion, and who challenges it; a promoted version keeps the alias challenger, but challenges nobody."""
    row = next((row for row in rows if "challenger" in row.aliases and "champion" not in row.aliases), None)
    more = f"v{row.number} is the challenger" if row else "no challenger"
    if champion is None:
        return Step("Live", "–", "no version yet", more)
    return Step("Live", f"v{champion.number}", "is champion", more)


def rate_words(row: VersionRow) -> str:
    """A version's thumbs-down rate in words."""
    if row.rate is None:
        return "not judged yet"
    low, high = percent(row.interval.low), percent(row.interval.high)
    return f"{percent(row.rate)} thumbs down, between {low} and {high} (95 %), {plural(row.judged, 'picture')}"


def effect_words(champion: VersionRow | None, base: VersionRow | None) -> str:
    """Whether the champion beats the base, as far as the intervals tell."""
    if champion is None or base is None:
        return "The first pictures are still being drawn."
    if champion.number == base.number:
        return "The plain base is live. Reject pictures, and the first version will be trained on them."
    if champion.rate is None or base.rate is None:
        return "Not known yet: both versions need judged pictures."
    change = f"from {percent(base.rate)} (base) to {percent(champion.rate)} (v{champion.number})"
    if champion.interval.high < base.interval.low:
        return f"Yes: rejects fell {change}."
    if champion.interval.low > base.interval.high:
        return f"No: rejects rose {change}."
    return "Not known yet: the intervals overlap. More votes will tell."


def event_words(event: AliasEvent) -> str:
    """What happened to a version."""
    came, went = f"v{event.from_version}", f"v{event.to_version}"
    return {
        Action.begin: "The plain base v0 went live",
        Action.publish: f"{went} was trained",
        Action.promote: f"{went} replaced {came} as champion",
        Action.roll_back: f"{came} was rolled back to {went}",
        Action.refuse: f"The gate refused {came}",
        Action.no_difference: f"{came} was set aside: no difference found",
        Action.withdraw: f"{came} was withdrawn" + (f", {went} is champion" if event.to_version is not None else ""),
        Action.retrain: "Somebody asked for a retrain",
        Action.stop: "Somebody stopped the retrain",
    }[event.action]
