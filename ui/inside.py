"""Inside one version: same-seed pictures, what trained it, the loss, the settings, the files."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st
from sqlalchemy import Engine

from feedback.manifest import trained_images
from feedback.prompts import list_prompts
from feedback.summary import GridPair, same_seed_grid
from feedback.versions import PLAIN
from store.layout import layout_of
from store.tables import Image, Role, Version
from ui.draw import data_line, picture, plural
from ui.opened import settings

FEW = 96
FILES = {
    "LoRA for diffusers": ("pytorch_lora_weights.safetensors", "naysayer-v{}.safetensors"),
    "LoRA for ComfyUI, A1111 (kohya)": ("naysayer_kohya.safetensors", "naysayer-v{}-kohya.safetensors"),
}


def show_inside(engine: Engine, version: Version, champion: int) -> None:
    """The tabs of one version."""
    grid, trained, loss, how, files = st.tabs(["Same seeds", "Trained on", "Loss", "Settings", "Files"])
    with grid:
        _show_grid(engine, version.number, champion)
    with trained:
        _show_trained(engine, version)
    with loss:
        _show_loss(version)
    with how:
        st.html(settings_html(version))
    with files:
        _show_files(version)


def _show_grid(engine: Engine, number: int, champion: int) -> None:
    pairs = same_seed_grid(engine)
    if not pairs:
        st.html(data_line("no same-seed pictures yet; they are drawn when the queue is full"))
        return
    st.html(data_line(f"{plural(len(pairs), 'pair')} of prompt and seed, drawn by each version and never trained on"))
    st.html(grid_html(pairs, list(dict.fromkeys([PLAIN, number, champion])), champion))


def grid_html(pairs: Sequence[GridPair], versions: Sequence[int], champion: int) -> str:
    """One row a prompt and seed, one column a version."""
    names = {PLAIN: "base", champion: "champion"} if champion != PLAIN else {PLAIN: "base, champion"}
    head = "".join(f'<th scope="col">v{n}{f" ({names[n]})" if n in names else ""}</th>' for n in versions)
    body = "".join(
        f'<tr><th scope="row">{escape(pair.prompt)}<small>seed {pair.seed}</small></th>'
        + "".join(f"<td>{picture(pair.pictures.get(n), f'{pair.prompt}, v{n}', 128)}</td>" for n in versions)
        + "</tr>"
        for pair in pairs
    )
    return (
        f'<div class="ns-pairs"><table><thead><tr><th scope="col">Prompt</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _show_trained(engine: Engine, version: Version) -> None:
    if version.manifest_id is None:
        st.html(data_line("the plain base: trained on none of your votes"))
        return
    prompts = {prompt.id: prompt.text for prompt in list_prompts(engine)}
    for role, sentence in ((Role.reject, "learnt from as rejects"), (Role.keep, "held on to as keeps")):
        images = trained_images(engine, version.manifest_id, role)
        st.html(data_line(f"{plural(len(images), 'picture')} {sentence}"))
        is_all = len(images) > FEW and st.toggle(f"Show all {len(images):,}", key=f"all-{role}-{version.number}")
        st.html(thumbs_html(images if is_all else images[:FEW], prompts))


def thumbs_html(images: Sequence[Image], prompts: dict[int | None, str]) -> str:
    """The pictures as thumbnails, each with its prompt and seed on hover."""
    thumbs = (picture(image.sha256, f"{prompts[image.prompt_id]}, seed {image.seed}") for image in images)
    return f'<div class="ns-thumbs">{"".join(thumbs)}</div>'


def _show_loss(version: Version) -> None:
    if not version.curve:
        st.html(data_line("no loss was recorded: nothing was trained"))
        return
    import altair as alt  # here, because it takes a second to load and no other page needs it

    names = {"loss": "training", "held_out": "held out"}
    points = [
        {"step": point["step"], "loss": point[key], "on": name}
        for point in version.curve
        for key, name in names.items()
        if key in point
    ]
    chart = (
        alt.Chart(alt.Data(values=points))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False)),
            y=alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "on:N",
                title=None,
                scale=alt.Scale(domain=list(names.values()), range=["#c65a3f", "#3f8f7c"]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["step:Q", "on:N", alt.Tooltip("loss:Q", format=".5f")],
        )
        .properties(height=320)
    )
    st.altair_chart(chart, width="stretch")


def settings_html(version: Version) -> str:
    """Everything that names or made the version, as a table of words."""
    facts = {
        "diffusers file, SHA-256": version.sha256,
        "kohya file, SHA-256": version.kohya_sha256,
        "manifest, SHA-256": version.manifest_id,
        "base model": version.base_model,
        "base, SHA-256": version.base_sha256,
        "parent": None if version.parent is None else f"v{version.parent}",
        "rule": version.rule,
        "strength": version.strength,
        "training took": f"{version.train_seconds:.0f} s" if version.train_seconds else None,
        "code": version.code_commit,
    }
    rows = {name: value for name, value in facts.items() if value not in (None, "")}
    rows |= {name: json.dumps(value, ensure_ascii=False) for name, value in sorted(version.settings.items())}
    rows |= {f"{name}, library": number for name, number in sorted(version.libraries.items())}
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="text"><code>{escape(str(value))}</code></td></tr>'
        for name, value in rows.items()
    )
    return f'<div class="ns-table"><table><tbody>{body}</tbody></table></div>'


def _show_files(version: Version) -> None:
    if version.sha256 is None:
        st.html(data_line("the plain base has no LoRA; its weights are the model's own"))
        return
    folder = layout_of(settings()).version_folder(version.sha256)
    for label, (name, saved_as) in FILES.items():
        _offer(label, folder / name, saved_as.format(version.number))


def _offer(label: str, path: Path, saved_as: str) -> None:
    if not path.is_file():
        st.html(data_line(f"{label}: not on this machine"))
        return
    size = path.stat().st_size / 1e6
    # The function is called when somebody presses the button, not when the page is drawn.
    st.download_button(
        f"{label} ({size:.1f} MB)", path.read_bytes, saved_as, "application/octet-stream", on_click="ignore"
    )
