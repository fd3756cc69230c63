"""The part Pictures: files of other programs are dropped, looked at, then imported as the command does it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from feedback.exchange.pictures.bases import LOADING, OURS, drawn_size, known_models, why_no_base
from feedback.exchange.pictures.importing import Import, bring_in, look_at
from feedback.exchange.pictures.outcome import NOTHING, Outcome, Report, Seen, Terms, judge_again
from feedback.metadata.bases import BASE_NAMES, model_key
from feedback.metadata.found import UNKNOWN
from feedback.workers import span
from store.errors import NaysayerError
from store.layout import layout_of
from store.phrases import plural
from ui.dashboard.setup.desk import PAGE, about, act, engine, refuse, turn
from ui.dashboard.setup.pictures.tray import TRAYS, Tray
from ui.dashboard.setup.pictures.uploader import ask_files
from ui.dashboard.setup.rows import show_rows
from ui.signin.people import viewer_name
from ui.signin.powers import fragment, require
from ui.web.phrases import thousands
from ui.web.pieces import alert
from ui.web.process import settings
from ui.web.templates import render

TRAY, LOOKED, NOTES, REFUSED = "pictures tray", "pictures looked", "pictures notes", "pictures refused"
LOOK_EVERY_S = 3
SIZE, MOST_MODELS = 50, 6
TELL_EVERY_S = 0.5
ALL = "all"
NOT_KNOWN = "not known"
BASES = {NOT_KNOWN: NOT_KNOWN, OURS: "this store's own base"} | {
    name: {"sdxl": "SDXL", "sd1": "SD 1", "sd2": "SD 2", "sd3": "SD 3", "flux": "Flux"}.get(name, "another")
    for name in BASE_NAMES
}

Question = tuple[tuple[str, ...], str, int]


def show_pictures() -> None:
    """The whole part."""
    about(
        "Pictures that you drew in other programs, with the prompts in them. Raters see them among the others, and "
        "what their prompt explains teaches the next version."
    )
    if why_no_base(engine()):
        _wait_for_base()
        return
    name, tray = _open_tray()
    if LOOKED in st.session_state:
        _show_looked(name, tray)
        return
    if ask_files(name):
        _look(name, tray)
    _show_refused()


@fragment(PAGE, run_every=LOOK_EVERY_S)
def _wait_for_base() -> None:
    """Says why no picture can come in yet, and shows the whole page once one can."""
    if not (why := why_no_base(engine())):
        st.rerun()
    st.html(alert(f"{why}; this page then goes on by itself" if why == LOADING else why))


def _open_tray() -> tuple[str, Tray]:
    """The tray of this session; a new one where there is none, and then nothing was looked at."""
    name = st.session_state.get(TRAY, "")
    tray = TRAYS.get(name)
    if tray is None:
        st.session_state.pop(LOOKED, None)
        name = st.session_state[TRAY] = TRAYS.begin(layout_of(settings()))
        tray = TRAYS.get(name)
    assert tray is not None
    return name, tray


def _give_up(name: str) -> None:
    TRAYS.end(name)
    for key in (TRAY, LOOKED, NOTES):
        st.session_state.pop(key, None)


def progress_words(verb: str, done: int, total: int, seconds: float) -> str:
    """How far it is, and how long it will take.

    >>> progress_words("Looking at", 25, 100, 10.0)
    'Looking at 25 of 100 pictures, about 30 s left'
    """
    left = f", about {span(seconds / done * (total - done))} left" if done and seconds > 1 else ""
    return f"{verb} {thousands(done)} of {plural(total, 'picture')}{left}"


def _progress(verb: str, total: int) -> Callable[[int, int], None]:
    """Shows how far it is, and asks now and then whether this person may still do it."""
    bar, began, told = st.progress(0.0, progress_words(verb, 0, total, 0.0)), time.monotonic(), 0.0

    def on_progress(done: int, _total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > TELL_EVERY_S:
            require(PAGE)
            bar.progress(min(1.0, done / max(total, 1)), progress_words(verb, done, total, now - began))
            told = now

    return on_progress


def _look(name: str, tray: Tray) -> None:
    """Looks at all that was sent, then draws the page again with what was seen."""
    report, seen = Report(), list[Seen]()
    st.session_state.pop(REFUSED, None)
    try:
        sources, notes = tray.sources(_root()), list[str]()
        on_progress = _progress("Looking at", sum(1 for source in sources for _ in source.entries()))
        for source in sources:
            terms = Terms(drawn_size(engine()), settings().other_bases)
            order = Import(engine(), source, terms, tray.mapped(source, notes.append))
            for one in look_at(order, report, on_progress):
                seen.append(one._replace(found=replace(one.found, raw=())))
    except NaysayerError as error:
        _give_up(name)
        refuse(str(error))
    if not seen:
        _give_up(name)
        refuse(NOTHING)
    st.session_state[LOOKED], st.session_state[NOTES] = seen, notes
    st.rerun()


def _root() -> str:
    return f"sent by {viewer_name()}"


def _show_looked(name: str, tray: Tray) -> None:
    looked: list[Seen] = st.session_state[LOOKED]
    figures, choices, rows = st.container(), st.container(), st.container()
    with choices:
        said = _ask_bases(looked)
    terms = Terms(drawn_size(engine()), settings().other_bases)
    known = known_models(engine()) | said
    now = [judge_again(one, known, terms) for one in looked]
    counts = Counter(one.outcome for one in now)
    coming = counts[Outcome.new] + counts[Outcome.rated_only]
    with figures:
        st.html(figures_html(now))
        for note in st.session_state[NOTES]:
            st.text(note)
        with st.container(horizontal=True, vertical_alignment="center"):
            is_pressed = st.button(f"Import {plural(coming, 'picture')}", type="primary", disabled=not coming)
            is_given_up = st.button("Discard")
    if is_given_up:
        _give_up(name)
        st.rerun()
    if is_pressed:
        with figures:
            act(partial(_import, name, tray, said, terms))
    with rows:
        _show_list(now)


def _ask_bases(looked: Sequence[Seen]) -> dict[str, str]:
    """What the person says of models whose base is not known, by `model_key`."""
    said: dict[str, str] = {}
    models = unknown_models(looked)
    if models:
        st.html(render("dashboard/setup/html/bases.html"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for keys, label, count in questions(models):
            words = f"{label}, {plural(count, 'picture')}"
            base = st.selectbox(words, list(BASES), format_func=BASES.__getitem__, key=f"base of {keys}", width=260)
            if base and base != NOT_KNOWN:
                said |= dict.fromkeys(keys, base)
    return said


def questions(models: Mapping[str, tuple[str, int]]) -> list[Question]:
    """Models that are asked for together, with a label and their pictures: the commonest by themselves, then the rest.

    >>> models = {f"m{k}": (f"M {k}", 9 - k) for k in range(8)}
    >>> questions(models)[0], questions(models)[-1]
    ((('m0',), 'M 0', 9), (('m6', 'm7'), 'the other 2 models', 5))
    """
    rows: list[Question] = [((key,), label, count) for key, (label, count) in models.items()]
    first, rest = rows[:MOST_MODELS], rows[MOST_MODELS:]
    if len(rest) < 2:
        return rows
    keys = tuple(key for one, _, _ in rest for key in one)
    return [*first, (keys, f"the other {len(rest):,} models", sum(count for _, _, count in rest))]


def unknown_models(looked: Sequence[Seen]) -> dict[str, tuple[str, int]]:
    """Label and number of pictures of each model whose base is not known, by its key, the commonest first."""
    waiting = [one.found for one in looked if one.outcome is Outcome.rated_only and one.found.base == UNKNOWN]
    named = [(model_key(one.model_hash or one.model), one.model or one.model_hash) for one in waiting]
    labels = dict(reversed(named))
    counts = Counter(key for key, _ in named if key)
    return {key: (labels[key][:60], count) for key, count in counts.most_common()}


def figures_html(seen: Sequence[Seen]) -> str:
    """How many pictures there are of each outcome, and why some are refused."""
    counts = Counter(one.outcome for one in seen)
    report = Report()
    for one in seen:
        report.count(one.outcome, one.found.status)
    why = [
        f"{thousands(count)} {words.removeprefix('refused: ')}" for count, words in report.rows if "refused" in words
    ]
    return render("dashboard/setup/html/looked.html", counts=counts, why=why, Outcome=Outcome)


def _show_list(seen: Sequence[Seen]) -> None:
    counts = Counter(one.outcome for one in seen)
    choices = [ALL, *(one for one in Outcome if counts[one])]
    shown = st.segmented_control("Show", choices, default=ALL, required=True, key="outcome shown")
    chosen = [one for one in seen if shown in (ALL, one.outcome)]
    _show_some("pictures", chosen)


def _show_some(name: str, seen: Sequence[Seen]) -> None:
    page = min(st.session_state.get(f"{name} page", 0), max(0, len(seen) - 1) // SIZE)
    show_rows(name, "pictures.html", rows=seen[page * SIZE : (page + 1) * SIZE])
    turn(f"{name} page", page, len(seen), SIZE)


def _import(name: str, tray: Tray, said: dict[str, str], terms: Terms) -> list[str]:
    """Brings in what was looked at; what is in stays when this is stopped, and *Import* goes on."""
    report, refused = Report(), list[Seen]()
    sources = tray.sources(_root())
    on_progress = _progress("Importing", sum(1 for source in sources for _ in source.entries()))
    for source in sources:
        order = Import(engine(), source, terms, tray.mapped(source, lambda _note: None), said)
        for one in bring_in(order, layout_of(settings()).blobs, report, on_progress):
            if one.outcome is Outcome.refused:
                refused.append(one._replace(found=replace(one.found, raw=())))
    _give_up(name)
    st.session_state[REFUSED] = refused
    return came_in_words(report)


def came_in_words(report: Report) -> list[str]:
    """What an import did, and where the pictures are now."""
    known = f"{plural(report.known, 'picture')} had come in before." if report.known else ""
    if not report.new:
        return [known, "" if known else "No picture came in."]
    only = f" {thousands(report.left_out)} of them are rated and not trained on; Pool has the reasons." * bool(
        report.left_out
    )
    where = "They wait to be rated on Rate, among the others, and are on Pool once they are judged."
    return [f"{plural(report.new, 'picture')} came in.{only}", where, known]


def _show_refused() -> None:
    refused: list[Seen] = st.session_state.get(REFUSED, [])
    if refused:
        with st.expander(f"Refused in the last import ({thousands(len(refused))})", expanded=True):
            _show_some("refused", refused)
