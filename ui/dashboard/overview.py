"""The overview: where the loop stands, drawn anew every two seconds."""

from collections.abc import Sequence
from html import escape

import streamlit as st
from sqlalchemy import Engine

from feedback.figures.summary import Standing, VersionRow, standing, version_rows
from feedback.figures.trend import days, growth
from feedback.pool.pool import Due, how_due
from feedback.versions import PLAIN, events
from store.errors import NaysayerError
from store.settings import Settings
from store.tables import Action, AliasEvent, Run, RunStatus
from ui.dashboard.curves import show_history
from ui.dashboard.disk import disk_words
from ui.web.phrases import percent, plural
from ui.web.pieces import alert, axis_end, badges, bar, head, interval_bar, moment
from ui.web.process import engine, settings
from ui.words import in_hand_words

EVENTS = 8


def overview_page() -> None:
    """The loop in five steps, whether it helps, what happened last; then the loop over time and its disk use."""
    _live()
    try:
        found = days(engine())
        show_history(found, growth(found), events(engine()))
        words = disk_words(engine(), settings(), standing(engine()).images)
        st.html(f'<p class="ns-data ns-disk">{escape(words)}</p>')
    except NaysayerError as error:
        st.html(alert(str(error)))


@st.fragment(run_every=2)
def _live() -> None:
    try:
        page = overview_html(engine(), settings())
    except NaysayerError as error:
        page = alert(str(error))
    st.html(page)


def overview_html(engine: Engine, settings: Settings) -> str:
    """The page's HTML."""
    now, due, rows = standing(engine), how_due(engine, settings.rejects_needed), version_rows(engine)
    based_on = f"{plural(now.votes, 'vote')} by {plural(now.raters, 'rater')} on {plural(now.judged, 'picture')}"
    return (
        head("Overview", based_on, f"{now.images:,} pictures drawn from {plural(now.prompts, 'prompt')}")
        + f'<ol class="ns-loop">{"".join(_steps(now, due, rows))}</ol>'
        + f'<div class="ns-two">{_effect(rows)}{_history(events(engine)[:EVENTS])}</div>'
    )


def _steps(now: Standing, due: Due, rows: Sequence[VersionRow]) -> list[str]:
    run = now.run if now.run is not None and now.run.status is RunStatus.running else None
    live = next((row for row in rows if "champion" in row.aliases), None)
    disputed = f", {now.disputed:,} disputed" if now.disputed else ""
    return [
        _drawing(now),
        _step(
            "Rate",
            f"{now.votes_today:,}",
            "vote today" if now.votes_today == 1 else "votes today",
            f"{now.votes:,} in all by {plural(now.raters, 'rater')}",
        ),
        _step("Pool", f"{now.rejects:,}", "rejects", f"{now.keeps:,} keeps{disputed}"),
        _running(run) if run else _waiting(due, now.run),
        _step(
            "Live",
            f"v{live.number}" if live else "–",
            "is champion" if live else "no version yet",
            _challenger(rows),
        ),
    ]


def _drawing(now: Standing) -> str:
    """What waits, and how far the workers are with what comes next."""
    so_far = f"{now.images:,} drawn so far"
    if not now.in_hand:
        return _step("Draw", f"{now.waiting:,}", "waiting to be rated", so_far)
    done, steps = sum(hand.step for hand in now.in_hand), sum(hand.steps for hand in now.in_hand)
    words = "; ".join(in_hand_words(hand) for hand in now.in_hand)
    line = bar(done, steps or 1, "progress of the pictures being drawn")
    return _step("Draw", f"{now.waiting:,}", "waiting to be rated", f"{so_far}; {words}", line)


def _step(name: str, figure: str, meaning: str, more: str, extra: str = "", is_active: bool = False) -> str:
    return (
        f'<li class="{"active" if is_active else ""}"><h2>{name}</h2><p><b>{figure}</b> {escape(meaning)}</p>'
        f"{extra}<small>{escape(more)}</small></li>"
    )


def _running(run: Run) -> str:
    figure = percent(run.step / run.steps) if run.steps else "0 %"
    more = run.message or f"step {run.step:,} of {run.steps:,}"
    line = bar(run.step, run.steps or 1, "progress of the retrain")
    return _step("Retrain", figure, "of a retrain", more, line, is_active=True)


def _waiting(due: Due, last: Run | None) -> str:
    missing = max(0, due.needed - due.new_rejects)
    meaning = "rejects to go" if missing else "a retrain is due"
    more = f"{due.new_rejects:,} of {due.needed:,} new rejects"
    if last is not None and last.status in (RunStatus.failed, RunStatus.interrupted):
        more += f"; the last retrain {'failed' if last.status is RunStatus.failed else 'was interrupted'}"
        more += f": {last.message}" if last.message else ""
    line = bar(due.new_rejects, due.needed, "new rejects until the next retrain")
    return _step("Retrain", f"{missing:,}" if missing else "Now", meaning, more, line, is_active=not missing)


def _challenger(rows: Sequence[VersionRow]) -> str:
    """Who challenges; a version that was promoted keeps its old alias, but challenges nobody."""
    row = next((row for row in rows if "challenger" in row.aliases and "champion" not in row.aliases), None)
    return f"v{row.number} challenges it" if row else "nobody challenges it"


def _effect(rows: Sequence[VersionRow]) -> str:
    """Champion against base: two intervals and what they say."""
    base = next((row for row in rows if row.number == PLAIN), None)
    live = next((row for row in rows if "champion" in row.aliases), None)
    shown = [row for row in dict.fromkeys([live, base]) if row is not None]
    end = axis_end(shown)
    lines = "".join(
        f"<dt>v{row.number} {badges(['champion'] if row is live else ['base'])}</dt>"
        f"<dd>{interval_bar(row.rate, row.interval, end, row is live)}<span>{escape(rate_words(row))}</span></dd>"
        for row in shown
    )
    verdict = escape(effect_words(live, base))
    return f'<section><h2>Does it help?</h2><p class="ns-verdict">{verdict}</p><dl>{lines}</dl></section>'


def rate_words(row: VersionRow) -> str:
    """A version's rate in words."""
    if row.rate is None:
        return "not judged yet"
    low, high = percent(row.interval.low), percent(row.interval.high)
    return f"{percent(row.rate)} thumbs down, between {low} and {high} (95 %), {plural(row.judged, 'picture')}"


def effect_words(live: VersionRow | None, base: VersionRow | None) -> str:
    """Whether the champion beats the base, as far as the intervals tell."""
    if live is None or base is None:
        return "The first pictures are still being drawn."
    if live.number == base.number:
        return "The plain base is live. Thumb pictures down, and the first version will be trained from them."
    if live.rate is None or base.rate is None:
        return "Not known yet: both need pictures with a verdict."
    if live.interval.high < base.interval.low:
        return f"Yes: v{live.number} draws fewer rejects than the base; the intervals do not meet."
    if live.interval.low > base.interval.high:
        return f"No: v{live.number} draws more rejects than the base; the intervals do not meet."
    return "Not known yet: the intervals overlap. More votes will tell."


def _history(happened: Sequence[AliasEvent]) -> str:
    lines = "".join(f"<li><span>{_event_words(event)}</span>{moment(event.created_at)}</li>" for event in happened)
    return f'<section><h2>What happened</h2><ul class="ns-events">{lines or "<li>Nothing yet.</li>"}</ul></section>'


def _event_words(event: AliasEvent) -> str:
    came, went = f"v{event.from_version}", f"v{event.to_version}"
    words = {
        Action.begin: "The plain base v0 went live",
        Action.publish: f"{went} was trained",
        Action.promote: f"{went} was promoted over {came}",
        Action.roll_back: f"{came} was rolled back to {went}",
        Action.refuse: f"{came} was refused by the gate",
        Action.no_difference: f"{came} was set aside: no difference found",
        Action.withdraw: f"{came} was withdrawn" + (f", {went} is champion" if event.to_version is not None else ""),
        Action.retrain: "A retrain was asked for",
        Action.stop: "The retrain was stopped",
    }[event.action]
    has_reason = bool(event.reason) and event.action is not Action.begin
    return words + (f" <q>{escape(event.reason)}</q>" if has_reason else "")
