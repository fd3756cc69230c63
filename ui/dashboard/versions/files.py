"""The ways out of a version: what to download for which program, and how to use it there."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st
from markupsafe import Markup

from feedback.gate.evidence import LORA_FILES
from store.errors import NoBucket
from store.layout import Layout, layout_of
from store.tables import Version
from ui.dashboard.versions.card import part
from ui.export.files import Format
from ui.export.programs import (
    FITS_ONLY,
    diffusers_name,
    fits_only_builtin,
    kohya_name,
    other_guides,
    steps_in_comfyui,
)
from ui.export.routes import CARD, export_address
from ui.web.phrases import size
from ui.web.pieces import alert, data_line
from ui.web.process import settings
from ui.web.templates import render

_files = st.components.v2.component(
    "naysayer_files",
    html='<div class="root"></div>',
    css=part("viewer/colours.css", "files/files.css"),
    js=part("files/files.js"),
)


class Handed(NamedTuple):
    """Something to download."""

    name: str
    address: str
    size: str = ""
    sha256: str = ""


def show_files(version: Version) -> None:
    """The ways out, or why there is none."""
    if version.sha256 is None:
        st.html(data_line("the plain base has no LoRA; its weights are the model's own"))
        return
    layout = layout_of(settings())
    try:
        folder = _fetched(layout, version.sha256)
    except NoBucket as error:
        st.html(alert(f"The files of v{version.number} cannot be had now: {error}."))
        return
    if missing := [name for name, _ in LORA_FILES if not (folder / name).is_file()]:
        st.html(alert(f"{' and '.join(missing)} of v{version.number} cannot be found; restore from a backup."))
        return
    _files(data={"html": str(files_html(layout, version))}, key=f"files {version.number}")


def _fetched(layout: Layout, sha256: str) -> Path:
    if (folder := layout.version_folder(sha256)).is_dir():
        return folder
    with st.spinner("Fetching the files of this version"):
        return layout.fetch_version(sha256)


def files_html(layout: Layout, version: Version) -> Markup:
    """What can be downloaded of a version, with how to use it in each program."""
    folder = layout.version_folder(version.sha256 or "")
    sizes = [size((folder / name).stat().st_size) for name, _ in LORA_FILES]
    number = version.number
    diffusers = Handed(
        diffusers_name(version), export_address(number, Format.diffusers), sizes[0], version.sha256 or ""
    )
    kohya = Handed(kohya_name(version), export_address(number, Format.kohya), sizes[1], version.kohya_sha256 or "")
    return render(
        "dashboard/versions/html/files.html",
        number=number,
        rule=version.rule,
        strength=f"{version.strength:g}",
        only_builtin=FITS_ONLY.format(number) if fits_only_builtin(version) else "",
        steps=steps_in_comfyui(version),
        guides=other_guides(version),
        zip=Handed("", export_address(number, Format.comfyui), kohya.size),
        diffusers=diffusers,
        kohya=kohya,
        hashed=(kohya, diffusers),
        card=Handed(f"naysayer-v{number}.md", export_address(number, CARD)),
    )
