"""Inside one version: same-seed pairs, reasons, what trained it, curves, strength, check, guards, settings, files."""

from collections.abc import Callable, Sequence

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.figures.summary import same_seed_grid
from feedback.gate.evidence import guardrails
from feedback.gate.guardrails import FEWEST, Guardrail
from feedback.retrain.lineage import Trained, find_image, lineage_counts, removed_rejects, trained_on, uses_of
from feedback.versions import get_version
from feedback.workers import NO_WORKER, is_worker_alive
from store.engine import reading
from store.phrases import plural
from store.tables import Role, Version
from ui.dashboard.live.retrain import show_seconds
from ui.dashboard.reasons import show_reasons
from ui.dashboard.versions.check import show_check
from ui.dashboard.versions.compare import show_grid
from ui.dashboard.versions.curves import show_curves, show_strengths
from ui.dashboard.versions.files import show_files
from ui.dashboard.versions.setting_words import setting_meaning, setting_name, setting_value
from ui.export.card import changes, facts
from ui.web.pieces import data_line, prose, verdict
from ui.web.templates import render

PAGE = "Versions"
FEW = 96
MANY = 1000

GUARDS = (
    "Diversity is how much the pictures differ from one another. Each change is a 95 % interval; a guard is broken "
    "only when all of it is beyond what is allowed. Where a strength is chosen, half of the base’s diversity may go, "
    "because mistakes make pictures differ too."
)

TABS: dict[str, Callable[[Engine, Version, int | None], None]]


def show_inside(engine: Engine, version: Version, beside: int | None) -> None:
    """The tabs of one version; only the open one is computed, and the address names it."""
    asked = st.query_params.get("tab", "").lower()
    # An address may name a tab in small letters. The default stays: with another, Streamlit would forget which is open.
    first = st.session_state.setdefault("first tab", next((name for name in TABS if name.lower() == asked), None))
    tabs = st.tabs(list(TABS), default=first, key="tab", on_change="rerun", bind="query-params")
    for name, tab in zip(TABS, tabs, strict=True):
        if tab.open:
            with tab:
                TABS[name](engine, version, beside)


def _show_grid(engine: Engine, version: Version, beside: int | None) -> None:
    pairs = [] if beside is None else same_seed_grid(engine, [version.number, beside])
    drawn = [pair for pair in pairs if {version.number, beside} <= pair.pictures.keys()]
    if beside is None or not drawn:
        when = "a worker draws them when the queue is full" if is_worker_alive(engine) else NO_WORKER
        st.html(data_line(prose(f"both versions have not drawn the same prompt and seed yet; {when}")))
        return
    st.html(data_line("the same prompts and seeds, never trained on", "click a pair to enlarge it"))
    show_grid(drawn, version.number, beside)


def _show_curves(engine: Engine, version: Version, _beside: int | None) -> None:
    show_seconds(engine, version)
    show_curves(version)


def _show_trained(engine: Engine, version: Version, _beside: int | None) -> None:
    if version.manifest_id is None:
        st.html(data_line("the plain base: no vote trained it"))
    else:
        _show_manifest(engine, version, version.manifest_id)
    named = st.text_input(
        "Which versions did a picture train?", placeholder="number or SHA-256 of a picture", key="looked-up", width=420
    )
    if named:
        st.html(uses_html(engine, named))


def _show_manifest(engine: Engine, version: Version, manifest: str) -> None:
    parent = None if version.parent is None else get_version(engine, version.parent).manifest_id
    with reading(engine) as session:
        rejects, new = lineage_counts(session, manifest, parent)
    gone = removed_rejects(engine, manifest, parent)
    since = f", {new:,} of them new since v{version.parent}" if parent else ""
    lost = f"{gone:,} of v{version.parent}’s were taken back or disputed since" if gone else ""
    st.html(data_line(*filter(None, [f"trained on {plural(rejects, 'reject')}{since}", lost])))
    st.html(data_line(*picture_key(version.parent if parent else None)))
    is_all = rejects > FEW and st.toggle(
        f"Show {'all' if rejects <= MANY else 'the newest'} {min(rejects, MANY):,}", key=f"all-{version.number}"
    )
    st.html(trained_html(trained_on(engine, version, Role.reject, MANY if is_all else FEW), parent is not None))
    if gone:
        st.html(data_line(f"taken back or disputed since: {plural(gone, 'picture')} that trained v{version.parent}"))
        st.html(trained_html(trained_on(engine, version, Role.reject, FEW, is_removed=True)))
    keeps = trained_on(engine, version, Role.keep, FEW)
    st.html(data_line(f"and on keeps; the newest {len(keeps):,} are shown"))
    st.html(trained_html(keeps))


def picture_key(parent: int | None) -> list[str]:
    """What stands at a picture that trained a version, in words."""
    key = ["below each picture: its number, then votes to reject – votes to keep", "held out: only tested on"]
    return key if parent is None else [*key, f"blue frame: new since v{parent}"]


def trained_html(trained: Sequence[Trained], has_parent: bool = False) -> Markup:
    """Thumbnails with their votes; what a trained parent did not have is marked."""
    return render("dashboard/versions/html/trained.html", trained=trained, has_parent=has_parent)


def uses_html(engine: Engine, named: str) -> Markup:
    """The picture that was asked for, and every version it trained."""
    image = find_image(engine, named)
    if image is None or image.id is None:
        return data_line("no picture has that number or hash; eight letters of the hash are enough")
    uses = uses_of(engine, image.id)
    words = [f"v{use.version} as {use.role.value}{' (held out)' if use.split == 'held_out' else ''}" for use in uses]
    trained = f"trained {', '.join(words)}" if words else "trained no version"
    said = f"picture #{image.id}, drawn by v{image.version}, seed {image.seed}: {trained}"
    return render("dashboard/versions/html/use.html", image=image, said=said)


def _show_guards(engine: Engine, version: Version, beside: int | None) -> None:
    """What the gate measures beside another version."""
    found = [] if beside is None else guardrails(engine, version.number, beside)
    st.html(verdict(guards_verdict(version.number, beside, found)))
    if found:
        st.html(guardrails_html(found, version.number, beside))
    st.html(data_line(GUARDS))


def guards_verdict(number: int, beside: int | None, found: Sequence[Guardrail]) -> str:
    """Whether a version lost what raters may not notice, in one sentence.

    >>> guards_verdict(4, 3, [])
    'Not measured yet: v4 and v3 must first draw 8 pictures from the same prompts and seeds.'
    """
    if not found:
        needed = f"must first draw {FEWEST} pictures from the same prompts and seeds"
        return f"Not measured yet: v{number} and v{beside} {needed}."
    broken = [one.name for one in found if one.is_broken]
    if broken:
        return f"Beside v{beside}, v{number} changed too much in what raters may not notice: {', '.join(broken)}."
    return f"Beside v{beside}, v{number} lost nothing that raters may not notice: every guard is fine."


def guardrails_html(found: Sequence[Guardrail], number: int, beside: int | None) -> Markup:
    """One line a guardrail: fine or broken, and why."""
    return render("dashboard/versions/html/guardrails.html", found=found, number=number, beside=beside)


def _show_settings(engine: Engine, version: Version, beside: int | None) -> None:
    st.html(settings_html(version, None if beside is None else get_version(engine, beside)))


def settings_html(version: Version, beside: Version | None = None) -> Markup:
    """What differs between two versions, in words; then everything that names and made the first."""
    return render(
        "dashboard/versions/html/settings.html",
        number=version.number,
        beside=None if beside is None else beside.number,
        is_comparable=beside is not None and None not in (beside.manifest_id, version.manifest_id),
        changed=changes(version, beside),
        facts=facts(version),
        name_of=setting_name,
        meaning_of=setting_meaning,
        value_of=setting_value,
    )


TABS = {
    "Same seeds": _show_grid,
    "Reasons": lambda engine, version, beside: show_reasons(engine, version.number, beside),
    "Trained on": _show_trained,
    "Curves": _show_curves,
    "Strength": lambda _engine, version, _beside: show_strengths(version),
    "Check": lambda _engine, version, _beside: show_check(version),
    "Guards": _show_guards,
    "Settings": _show_settings,
    "Files": lambda _engine, version, _beside: show_files(version),
}
