"""The overview: the state of the loop, drawn again every two seconds."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.figures.comparable import unlike_rates
from feedback.figures.flow import flow_of
from feedback.figures.reasons import Named, count_reasons
from feedback.figures.summary import Standing, VersionRow, standing, version_rows
from feedback.figures.trend import Window, windows
from feedback.gate.comparison import Stamp, current_pairs, read_stamp
from feedback.policy import rejects_needed, retrains_itself
from feedback.pool.damage import damage_words, damaged_pictures
from feedback.pool.pool import Due, how_due
from feedback.retrain.progress import RetrainNow, retrain_now
from feedback.runs import ended_badly
from feedback.succession import PLAIN, replaced_by
from feedback.versions import events
from feedback.workers import NO_WORKER, SeenWorker, is_worker_alive, list_workers
from store.engine import reading
from store.phrases import plural
from store.settings import Settings
from store.tables import Run
from ui.dashboard.best import best_words, challenge_now, compared_shares
from ui.dashboard.disk import disk_words
from ui.dashboard.happened import ended_words, happenings, retrain_warning
from ui.dashboard.live.retrain import retrain_html
from ui.dashboard.live.strip import workers_html
from ui.dashboard.reasons import brief_html
from ui.dashboard.trend import trend_html
from ui.dashboard.versions.current import open_pressed, show_cards, show_rule
from ui.signin.powers import fragment, guard, store_of
from ui.web.phrases import ago, percent
from ui.web.pieces import axis_end, data_line
from ui.web.process import settings
from ui.web.templates import BLANK, render
from ui.words import judged_words

PAGE = "Overview"
EVENTS = 6
VERSIONS = 6
engine = partial(store_of, PAGE)


@guard(PAGE)
def overview_page() -> None:
    """Who is better, the loop in five steps, whether it helps, what is wrong, what happened; then disk use."""
    _live()
    open_pressed()
    _figures()
    st.html(data_line(disk_words(engine(), settings(), standing(engine()).drawn)))


@fragment(PAGE, run_every=2)
def _live() -> None:
    pairs, now = current_pairs(engine()), live_html(engine(), settings())
    st.html(now.top)
    show_cards(engine(), pairs[:1])
    st.html(now.loop)
    show_cards(engine(), pairs[1:], first=1)
    if pairs:
        show_rule(engine())


@fragment(PAGE, run_every=10)
def _figures() -> None:
    st.html(figures_html(engine()))


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
    warning: str = ""


def overview_html(engine: Engine, settings: Settings) -> Markup:
    """What the page says, but for the cards of its versions."""
    return BLANK.join([*live_html(engine, settings), figures_html(engine)])


class Live(NamedTuple):
    """The parts of the page that change by the second; between them stands the first card."""

    top: Markup
    loop: Markup


def live_html(engine: Engine, settings: Settings) -> Live:
    """What the figures rest on, what is wrong and which version is the best; then the five steps and the workers."""
    now, rows, workers, running = standing(engine), version_rows(engine), list_workers(engine), retrain_now(engine)
    due, champion = how_due(engine, rejects_needed(settings), settings.rater_share), _champion(rows)
    ended = retrain_warning(now.run, due, is_automatic=retrains_itself(settings))
    top = render(
        "dashboard/html/top.html",
        best=best_words(rows, challenge_now(engine)),
        based_on=[
            f"{plural(now.votes, 'vote')} by {plural(now.raters, 'rater')} (the latest of each rater on each picture)",
            judged_words(now),
        ],
        warnings=[
            *([] if is_worker_alive(engine) else [NO_WORKER]),
            *filter(None, [ended, damage_words(damaged_pictures(engine))]),
            *now.damaged,
            *unlike_rates(engine, champion.number if champion else PLAIN),
        ],
    )
    steps = [
        _draw(now, workers),
        _rate(now),
        _pool(now, rows),
        _retrain(due, now.run, running),
        _live_version(rows, champion),
    ]
    flow = flow_of(engine, workers, now.waiting, settings.overlap)
    left = running.left if running else None
    said = flow.words_beside(left.seconds if left and not left.says_nothing else 0)
    shown = {"steps": steps, "workers": workers_html(workers, said), "retrain": retrain_html(running)}
    return Live(top, render("dashboard/html/loop.html", **shown))


def figures_html(engine: Engine) -> Markup:
    """Whether it helps, what is most often wrong, the rejects over the votes, and what happened."""
    rows, is_alive = version_rows(engine), is_worker_alive(engine)
    base, champion = next((row for row in rows if row.number == PLAIN), None), _champion(rows)
    shown = shown_versions(rows)
    counted = counted_now(engine, champion.number if champion else PLAIN, read_stamp(engine))
    live = champion.number if champion else None
    return render(
        "dashboard/html/figures.html",
        effect=render(
            "dashboard/html/effect.html",
            effect=effect_words(champion, base, is_alive=is_alive),
            shown=shown,
            compared=compared_shares(engine, shown),
            end=axis_end(row.interval for row in shown if row.rate is not None),
        ),
        reasons=brief_html(counted.reasons, champion.number, counted.earlier) if champion else BLANK,
        trend=trend_html(counted.windows, live),
        happened=render(
            "dashboard/html/happened.html",
            happened=happenings(events(engine)[:EVENTS], ended_badly(engine, EVENTS), EVENTS),
        ),
    )


class Counted(NamedTuple):
    """The reasons of the champion and of the `earlier` versions that it stands beside; the rejects over the votes."""

    reasons: dict[int, Named]
    earlier: tuple[int, ...]
    windows: list[Window]


@lru_cache(maxsize=8)
def counted_now(engine: Engine, champion: int, _stamp: Stamp) -> Counted:
    """Counted again only when a vote, an event or a decision came."""
    with reading(engine) as session:
        before = replaced_by(session, champion)
    earlier = tuple(dict.fromkeys(one for one in (before, PLAIN) if one not in (None, champion)))
    return Counted(count_reasons(engine, (champion, *earlier)), earlier, windows(engine))


def shown_versions(rows: Sequence[VersionRow]) -> list[VersionRow]:
    """The base and the newest versions, in the order in which they came."""
    newest = [row for row in rows if row.number != PLAIN and not row.is_withdrawn][:VERSIONS]
    return sorted([*newest, *(row for row in rows if row.number == PLAIN)], key=lambda row: row.number)


def _champion(rows: Sequence[VersionRow]) -> VersionRow | None:
    return next((row for row in rows if "champion" in row.aliases), None)


def _draw(now: Standing, workers: Sequence[SeenWorker]) -> Step:
    """What waits, and how far the workers are with what comes next."""
    so_far = f"{now.drawn:,} drawn so far"
    step = Step("Draw", f"{now.waiting:,}", "waiting to be rated", so_far)
    at_it = [worker.row for worker in workers if worker.is_there and worker.row.pictures]
    if not at_it:
        return step
    pictures = plural(sum(row.pictures for row in at_it), "picture")
    bar = Bar(sum(row.step for row in at_it), sum(row.steps for row in at_it) or 1, f"progress of {pictures}")
    return step._replace(more=f"{so_far}, {pictures} in work", bar=bar)


def _rate(now: Standing) -> Step:
    meaning = "vote today" if now.votes_today == 1 else "votes today"
    return Step("Rate", f"{now.votes_today:,}", meaning, f"{now.votes:,} in all by {plural(now.raters, 'rater')}")


def _pool(now: Standing, rows: Sequence[VersionRow]) -> Step:
    """The pool, and why the newest version may have been trained on more rejects than it holds."""
    disputed = f", {now.disputed:,} disputed" if now.disputed else ""
    meaning = "reject" if now.rejects == 1 else "rejects"
    more = f"{plural(now.keeps, 'keep')}{disputed}"
    if rows and rows[0].trained_on > now.rejects:
        more += f"; v{rows[0].number} learnt from {rows[0].trained_on:,}, some taken back or disputed since"
    return Step("Pool", f"{now.rejects:,}", meaning, more)


def _retrain(due: Due, last: Run | None, now: RetrainNow | None) -> Step:
    if now is not None:
        bar = Bar(now.share, 1, "progress of the retrain")
        return Step("Retrain", *_time_left(now), bar=bar, is_active=True)
    missing = max(0, due.needed - due.new_rejects)
    more = f"{due.new_rejects:,} of {plural(due.needed, 'new reject')}"
    ended = ended_words(last)
    warning = f"the last retrain {ended} {ago(last.updated_at)}" if last is not None and ended else ""
    bar = Bar(due.new_rejects, due.needed, "new rejects until the next retrain")
    if not missing:
        return Step("Retrain", "Now", "a retrain is due", more, bar, is_active=True, warning=warning)
    meaning = "reject to go" if missing == 1 else "rejects to go"
    return Step("Retrain", f"{missing:,}", meaning, more, bar, warning=warning)


def _time_left(now: RetrainNow) -> tuple[str, str, str]:
    """How long a retrain still takes, as far as that is known; else how far it is."""
    doing = now.progress.current.words if now.progress.current else "starting"
    if now.left.says_nothing:
        return percent(now.share), "of a retrain", doing
    meaning = "left, or more" if now.left.unknown else "left of a retrain"
    minutes = now.left.seconds / 60
    figure = f"{max(1, minutes):.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
    return figure, meaning, f"{percent(now.share)} done; {doing}"


def _live_version(rows: Sequence[VersionRow], champion: VersionRow | None) -> Step:
    """The champion, and who challenges it; a promoted version keeps the alias challenger, but challenges nobody."""
    row = next((row for row in rows if "challenger" in row.aliases and "champion" not in row.aliases), None)
    more = f"v{row.number} is the challenger" if row else "no challenger"
    if champion is None:
        return Step("Live", "–", "no version yet", more)
    return Step("Live", f"v{champion.number}", "is champion", more)


def effect_words(champion: VersionRow | None, base: VersionRow | None, *, is_alive: bool = True) -> str:
    """Whether the champion beats the base, as far as the intervals tell."""
    if champion is None or base is None:
        return "The first pictures are being drawn." if is_alive else "There are no pictures yet."
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
