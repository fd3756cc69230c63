"""Inside one version: same-seed pictures, what trained it, curves, strength, guardrails, settings, files."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st
from sqlalchemy import Engine

from feedback.figures.summary import same_seed_grid
from feedback.gate.evidence import failed_checks, guardrails
from feedback.gate.guardrails import Guardrail
from feedback.retrain.lineage import Trained, find_image, lineage_counts, removed_rejects, trained_on, uses_of
from feedback.versions import PLAIN, get_version
from store.engine import reading
from store.layout import layout_of
from store.tables import Role, Version
from ui.dashboard.compare import show_grid
from ui.dashboard.curves import show_curves, show_strengths
from ui.export.card import model_card, settings_html
from ui.web.phrases import plural
from ui.web.pieces import badges, data_line, picture
from ui.web.process import settings

FEW = 96
FILES = {
    "LoRA for diffusers": ("pytorch_lora_weights.safetensors", "naysayer-v{}.safetensors"),
    "LoRA for ComfyUI, A1111 (kohya)": ("naysayer_kohya.safetensors", "naysayer-v{}-kohya.safetensors"),
}


def show_inside(engine: Engine, version: Version, champion: int) -> None:
    """The tabs of one version."""
    names = ["Same seeds", "Trained on", "Curves", "Strength", "Guardrails", "Settings", "Files"]
    grid, trained, curves, strength, guards, how, files = st.tabs(names)
    with grid:
        _show_grid(engine, version.number, champion)
    with trained:
        _show_trained(engine, version)
    with curves:
        show_curves(version)
    with strength:
        show_strengths(version)
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
            "click a picture to lay two over each other",
        )
    )
    show_grid(pairs, versions, champion)


def _show_trained(engine: Engine, version: Version) -> None:
    if version.manifest_id is None:
        st.html(data_line("the plain base: trained on none of your votes"))
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
    since = f", {new:,} of them new since v{version.parent}; {gone:,} that trained it are rejects no longer"
    beside = "" if parent is None else since
    st.html(data_line(f"learnt from {plural(rejects, 'reject')}{beside}"))
    is_all = rejects > FEW and st.toggle("Show 1,000", key=f"all-{version.number}")
    st.html(trained_html(trained_on(engine, version, Role.reject, 1000 if is_all else FEW), parent is not None))
    if gone:
        st.html(data_line(f"no longer rejects: {plural(gone, 'picture')} that trained v{version.parent}"))
        st.html(trained_html(trained_on(engine, version, Role.reject, FEW, is_removed=True)))
    keeps = trained_on(engine, version, Role.keep, FEW)
    st.html(data_line(f"held on to keeps; the newest {len(keeps):,} are shown"))
    st.html(trained_html(keeps))


def trained_html(trained: Sequence[Trained], has_parent: bool = False) -> str:
    """Thumbnails with their votes; what a trained parent had not is marked."""
    cells = "".join(
        f'<figure class="{"new" if has_parent and one.is_new else ""}">'
        f"{picture(one.sha256, f'{one.prompt}, seed {one.seed}, drawn by v{one.version}', width=one.width)}"
        f"<figcaption>#{one.image_id} · {one.rejects}–{one.keeps}{' · new' if has_parent and one.is_new else ''}"
        f"{' · held out' if one.is_held_out else ''}</figcaption></figure>"
        for one in trained
    )
    return f'<div class="ns-thumbs">{cells}</div>'


def uses_html(engine: Engine, named: str) -> str:
    """The picture that was asked for, and every version it trained."""
    image = find_image(engine, named)
    if image is None or image.id is None:
        return data_line("no picture has that number or hash; eight letters of the hash are enough")
    uses = uses_of(engine, image.id)
    words = [f"v{use.version} as {use.role.value}{' (held out)' if use.split == 'held_out' else ''}" for use in uses]
    said = f"trained {', '.join(words)}" if words else "trained no version"
    facts = f"picture #{image.id}, drawn by v{image.version}, seed {image.seed}: {said}"
    return f'<div class="ns-use">{picture(image.sha256, facts, width=image.width)}<p>{escape(facts)}</p></div>'


def _guardrails_html(engine: Engine, number: int, champion: int) -> str:
    if number == champion:
        return data_line("this version is the champion, and is compared with nobody")
    found = guardrails(engine, number, champion)
    if not found:
        return data_line(
            f"fewer than 8 pairs were drawn by both v{number} and v{champion}; the worker is still drawing"
        )
    return data_line(
        f"v{number} beside the champion v{champion}, same prompts and seeds, from pixels alone"
    ) + guardrails_html(found)


def guardrails_html(found: Sequence[Guardrail]) -> str:
    """One line a guardrail: fine or broken, and why."""
    body = "".join(
        f'<tr><th scope="row">{escape(one.name)}</th>'
        f"<td>{badges(['broken' if one.is_broken else 'fine'])}</td>"
        f'<td class="text">{escape(one.sentence)}</td></tr>'
        for one in found
    )
    return f'<div class="ns-table"><table><tbody>{body}</tbody></table></div>'


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
    st.download_button(
        "Model card (Markdown)", card, f"naysayer-v{version.number}.md", "text/markdown", on_click="ignore"
    )
    with st.expander("Read the model card"):
        st.code(card, language=None, wrap_lines=True)


def _offer(label: str, path: Path, saved_as: str, sha256: str) -> None:
    if not path.is_file():
        st.html(data_line(f"{label}: not on this machine"))
        return
    size = path.stat().st_size / 1e6
    # The function is called when somebody presses the button, not when the page is drawn.
    st.download_button(
        f"{label} ({size:.1f} MB)", path.read_bytes, saved_as, "application/octet-stream", on_click="ignore"
    )
    st.html(f'<p class="ns-hash">SHA-256 <code>{escape(sha256)}</code></p>')
