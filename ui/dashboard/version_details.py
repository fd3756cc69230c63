"""Inside one version: same-seed pictures, what trained it, curves, strength, check, guardrails, settings, files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from markupsafe import Markup
from sqlalchemy import Engine

from feedback.figures.summary import same_seed_grid
from feedback.gate.evidence import failed_checks, guardrails
from feedback.gate.guardrails import Guardrail
from feedback.retrain.lineage import Trained, find_image, lineage_counts, removed_rejects, trained_on, uses_of
from feedback.versions import PLAIN, get_version
from store.engine import reading
from store.layout import layout_of
from store.phrases import plural
from store.tables import Role, Version
from ui.dashboard.check import show_check
from ui.dashboard.compare import show_grid
from ui.dashboard.curves import show_curves, show_strengths
from ui.export.card import changes, facts, model_card
from ui.signin.powers import download
from ui.web.phrases import size
from ui.web.pieces import data_line
from ui.web.process import settings
from ui.web.templates import render

PAGE = "Versions"
FEW = 96
FILES = {
    "LoRA for diffusers": ("pytorch_lora_weights.safetensors", "naysayer-v{}.safetensors"),
    "LoRA for ComfyUI, A1111 (kohya)": ("naysayer_kohya.safetensors", "naysayer-v{}-kohya.safetensors"),
}


def show_inside(engine: Engine, version: Version, champion: int) -> None:
    """The tabs of one version."""
    names = ["Same seeds", "Trained on", "Curves", "Strength", "Check", "Guardrails", "Settings", "Files"]
    grid, trained, curves, strength, check, guards, how, files = st.tabs(names)
    with grid:
        _show_grid(engine, version.number, champion)
    with trained:
        _show_trained(engine, version)
    with curves:
        show_curves(version)
    with strength:
        show_strengths(version)
    with check:
        show_check(version)
    with guards:
        st.html(_guardrails_html(engine, version.number, champion))
    with how:
        parent = None if version.parent is None else get_version(engine, version.parent)
        st.html(settings_html(version, parent))
    with files:
        _show_files(version)


def _show_grid(engine: Engine, number: int, champion: int) -> None:
    versions = list(dict.fromkeys([PLAIN, champion, number]))
    pairs = same_seed_grid(engine, versions)
    if not pairs:
        st.html(data_line("no same-seed pictures yet; they are drawn when the queue is full"))
        return
    st.html(
        data_line(
            f"{plural(len(pairs), 'pair')} of prompt and seed, never trained on",
            "click a picture to compare two versions",
        )
    )
    show_grid(pairs, versions, champion)


def _show_trained(engine: Engine, version: Version) -> None:
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
    since = f", {new:,} of them new since v{version.parent}; {gone:,} that trained it are no longer rejects"
    st.html(data_line(f"trained on {plural(rejects, 'reject')}{'' if parent is None else since}"))
    is_all = rejects > FEW and st.toggle("Show 1,000", key=f"all-{version.number}")
    st.html(trained_html(trained_on(engine, version, Role.reject, 1000 if is_all else FEW), parent is not None))
    if gone:
        st.html(data_line(f"no longer rejects: {plural(gone, 'picture')} that trained v{version.parent}"))
        st.html(trained_html(trained_on(engine, version, Role.reject, FEW, is_removed=True)))
    keeps = trained_on(engine, version, Role.keep, FEW)
    st.html(data_line(f"and on keeps; the newest {len(keeps):,} are shown"))
    st.html(trained_html(keeps))


def trained_html(trained: Sequence[Trained], has_parent: bool = False) -> Markup:
    """Thumbnails with their votes; what a trained parent did not have is marked."""
    return render("dashboard/html/trained.html", trained=trained, has_parent=has_parent)


def uses_html(engine: Engine, named: str) -> Markup:
    """The picture that was asked for, and every version it trained."""
    image = find_image(engine, named)
    if image is None or image.id is None:
        return data_line("no picture has that number or hash; eight letters of the hash are enough")
    uses = uses_of(engine, image.id)
    words = [f"v{use.version} as {use.role.value}{' (held out)' if use.split == 'held_out' else ''}" for use in uses]
    trained = f"trained {', '.join(words)}" if words else "trained no version"
    said = f"picture #{image.id}, drawn by v{image.version}, seed {image.seed}: {trained}"
    return render("dashboard/html/use.html", image=image, said=said)


def _guardrails_html(engine: Engine, number: int, champion: int) -> Markup:
    if number == champion:
        return data_line("this version is the champion; the other versions are compared with it")
    found = guardrails(engine, number, champion)
    if not found:
        return data_line(f"v{number} and v{champion} share fewer than 8 pairs so far; the worker is still drawing")
    beside = f"v{number} beside the champion v{champion}, same prompts and seeds, measured on the pixels"
    return data_line(beside) + guardrails_html(found)


def guardrails_html(found: Sequence[Guardrail]) -> Markup:
    """One line a guardrail: fine or broken, and why."""
    return render("dashboard/html/guardrails.html", found=found)


def settings_html(version: Version, parent: Version | None = None) -> Markup:
    """What changed since the parent, then everything."""
    return render(
        "dashboard/html/settings.html",
        number=version.number,
        parent=None if parent is None else parent.number,
        has_trained_parent=parent is not None and parent.manifest_id is not None,
        changed=changes(version, parent),
        facts=facts(version),
    )


def _show_files(version: Version) -> None:
    if version.sha256 is None:
        st.html(data_line("the plain base has no LoRA; its weights are the model's own"))
        return
    layout = layout_of(settings())
    wrong = failed_checks(layout, version)
    st.html(data_line("; ".join(wrong) if wrong else "both files are the ones that were published"))
    for (label, (name, saved_as)), sha256 in zip(FILES.items(), (version.sha256, version.kohya_sha256), strict=True):
        _offer(label, layout.version_folder(version.sha256) / name, saved_as.format(version.number), sha256 or "")
    card = model_card(version)
    _offer_file("Model card (Markdown)", card.encode, f"naysayer-v{version.number}.md", "text/markdown")
    with st.expander("Read the model card"):
        st.code(card, language=None, wrap_lines=True)


def _offer_file(label: str, make: Callable[[], bytes], saved_as: str, kind: str) -> None:
    st.download_button(label, download(PAGE, make), saved_as, kind, on_click="ignore")


def _offer(label: str, path: Path, saved_as: str, sha256: str) -> None:
    if not path.is_file():
        st.html(data_line(f"{label}: not on this machine"))
        return
    offered = f"{label} ({size(path.stat().st_size)})"
    _offer_file(offered, path.read_bytes, saved_as, "application/octet-stream")
    st.html(render("dashboard/html/file.html", sha256=sha256))
