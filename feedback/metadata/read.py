"""Reads a picture that another program drew."""

import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from feedback.metadata.bases import base_of_model
from feedback.metadata.files import fooocus_log
from feedback.metadata.files.opened import MAX_BYTES, decode, open_parts
from feedback.metadata.files.parts import Parts
from feedback.metadata.files.refused import Refused
from feedback.metadata.files.sidecar import beside
from feedback.metadata.files.stealth import read_stealth
from feedback.metadata.found import SDXL, UNKNOWN, Draft, Found, Mark, RawText, Status
from feedback.metadata.marks import mark_distilled, mark_name, mark_size
from feedback.metadata.texts import Texts
from feedback.metadata.tools import (
    a1111,
    comfyui,
    draw_things,
    easy_diffusion,
    fooocus,
    invokeai,
    novelai,
    plain_json,
    swarmui,
    tensorart,
)

FAMILIES = (swarmui, invokeai, novelai, tensorart, draw_things, fooocus, easy_diffusion)
"""Those whose texts name them, before those that many programs write alike."""
TELLING = (
    *("parameters", "prompt", "workflow", "UserComment", "xmp:UserComment", "generation_data", "stealth", "Dream"),
    *("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata"),
)
"""Where a text that nobody here can read is one of a program that draws, and no camera's or editor's."""
NO_TEXT = "it holds no prompt: the program wrote none, or an editor or host took it out; name it in a mapping file"


def read_picture(path: Path, known_bases: Mapping[str, str] | None = None) -> Found:
    """What the file and the texts beside it say; it never raises for what is in them.

    `known_bases` is what the user said of models, by `feedback.metadata.bases.model_key`.
    """
    try:
        if not (size := path.stat().st_size):
            return Found(Status.broken, "the file is empty; get it again")
        with path.open("rb") as file:
            if size > MAX_BYTES:
                raise Refused(f"the file has {size >> 20} MB, {MAX_BYTES >> 20} are allowed; make it smaller")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return read_bytes(data, path.name, beside(path), known_bases)[0]  # type: ignore[arg-type]
    except Refused as refused:
        return Found(Status.broken, refused.why)
    except OSError as error:
        return Found(Status.broken, f"it cannot be read ({error.strerror or type(error).__name__})")


def read_bytes(
    data: bytes, name: str, sidecars: Sequence[RawText] = (), known_bases: Mapping[str, str] | None = None
) -> tuple[Found, Image.Image | None]:
    """As `read_picture`, of a file's bytes and name; with its pixels, which a broken file has none of."""
    try:
        kind, parts = open_parts(data, name)
        picture = decode(data, kind, parts)
        if not any(one.place in TELLING for one in parts.texts) and kind != "JPEG":
            read_stealth(parts, picture)
    except Refused as refused:
        return Found(Status.broken, refused.why), None
    is_told = any(one.place in TELLING for one in parts.texts)
    parts.texts += [one for one in sidecars if one.place != fooocus_log.PLACE or not is_told]
    return _found(parts, name, known_bases or {}), picture


def _found(parts: Parts, name: str, known_bases: Mapping[str, str]) -> Found:
    texts = Texts(parts.texts)
    draft = _draft(texts, (parts.width, parts.height))
    raw = tuple(parts.texts)
    if draft is None:
        empty = Draft("")
        mark_name(empty, name)
        is_telling = any(one.place in TELLING or one.place.startswith("sidecar") for one in raw)
        why = "its metadata are those of no program known here" if is_telling else NO_TEXT
        status = Status.grid if empty.is_grid else Status.unrecognised if is_telling else Status.empty
        return Found(status, empty.is_grid or why, width=parts.width, height=parts.height, raw=raw)
    mark_name(draft, name)
    mark_distilled(draft)
    if draft.prompt_2:
        draft.mark(Mark.two_prompts, "its two text encoders were given different prompts")
    mark_size(draft, parts.width, parts.height)
    base = draft.base if draft.base not in ("", UNKNOWN) else base_of_model(draft.model, draft.model_hash, known_bases)
    base = draft.likely_base if base == UNKNOWN and draft.likely_base else base
    status = _status(draft, base)
    return Found(
        status,
        _why(draft, status, base),
        draft.tool,
        draft.prompt,
        draft.negative_prompt,
        draft.prompt_2,
        draft.seed,
        draft.steps,
        draft.sampler,
        draft.guidance_scale,
        parts.width,
        parts.height,
        draft.model,
        draft.model_hash,
        base,
        tuple(draft.loras),
        tuple(draft.marks),
        raw,
    )


def _draft(texts: Texts, size: tuple[int, int]) -> Draft | None:
    """The draft of the first program that knows the texts.

    Where a ComfyUI graph and a text as A1111 writes it stand side by side, the graph counts: a saver's text says only
    what it was given. The text counts where the graph does not hold the prompt, and adds the hash of the model.
    """
    for family in FAMILIES:
        if (found := family.read(texts)) is not None:
            return found
    graph, written = comfyui.read(texts, size), a1111.read(texts)
    if graph is not None and written is not None and written.prompt is not None:
        if graph.prompt is None:
            written.marks = graph.marks | written.marks
            return written
        if written.model == graph.model:
            graph.model_hash = written.model_hash
    return graph or written or plain_json.read(texts) or _caption(texts)


def _caption(texts: Texts) -> Draft | None:
    """A text file beside the picture, without settings, is its prompt."""
    text = texts.own.get("sidecar.txt", "").strip()
    return Draft("text file", prompt=" ".join(text.split()), why="the text beside it names no seed") if text else None


def _status(draft: Draft, base: str) -> Status:
    if draft.is_grid:
        return Status.grid
    if base not in (SDXL, UNKNOWN):
        return Status.not_sdxl
    if draft.prompt is None:
        return Status.unrecognised
    return Status.ok if draft.seed is not None else Status.partial


def _why(draft: Draft, status: Status, base: str) -> str:
    """What is wrong, else what keeps the picture out of training by default; empty for nothing."""
    if status is Status.grid:
        return draft.is_grid
    if status in (Status.unrecognised, Status.partial):
        return draft.why
    if status is Status.not_sdxl:
        return f"its base is {base}, not SDXL"
    return "; ".join(draft.marks.values())
