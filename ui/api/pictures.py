"""The operation on pictures of other programs, for admins: what `naysayer import pictures` does, a file at a time."""

from pathlib import Path

from feedback.exchange.pictures.bases import drawn_size, require_base
from feedback.exchange.pictures.importing import Import, bring_in, look_at
from feedback.exchange.pictures.lines import as_object
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.outcome import Report, Seen, Terms
from feedback.exchange.pictures.recording import picture_of
from feedback.exchange.pictures.sources import Folder
from store.errors import BadRequest
from store.layout import layout_of
from ui.api.forms import MULTIPART
from ui.api.operation import Asked, Operation
from ui.api.picture_bodies import ImportedFile, PictureFile

PAGE = "Setup"
KINDS = ("application/octet-stream", "image/jpeg", "image/png", "image/webp", MULTIPART)
SAID = ("prompt", "negative_prompt", "seed", "model")


def import_picture(asked: Asked) -> ImportedFile:
    """Brings in a picture of another program, once, to be rated; with `dry_run` only says what it holds."""
    params: PictureFile = asked.params
    path: Path = asked.body
    require_base(asked.engine)
    named = path.with_name("sent") / params.file
    if len(named.name.encode()) > 200:
        raise BadRequest("file: the name has more than 200 bytes; shorten it")
    named.parent.mkdir()
    path.rename(named)
    seen = _bring(asked, Folder(named.parent, f"API/{asked.person.name}"))
    picture = picture_of(asked.engine, seen.pixels_sha256)
    return ImportedFile.model_validate(as_object(seen) | {"picture": picture})


def _bring(asked: Asked, source: Folder) -> Seen:
    params: PictureFile = asked.params
    terms = Terms(drawn_size(asked.engine), asked.settings.other_bases)
    row = {name: value for name in SAID if (value := getattr(params, name)) not in ("", None)}
    mapped, report = Mapped([(params.file, row)]), Report()

    def on_progress(done: int, total: int) -> None:
        """One picture needs no bar."""

    order = Import(asked.engine, source, terms, mapped)
    if params.dry_run:
        found = look_at(order, report, on_progress)
    else:
        found = bring_in(order, layout_of(asked.settings).blobs, report, on_progress)
    for seen in found:
        return seen
    raise BadRequest(f"file: {params.file[:80]} names a program's preview, not a picture")


PICTURES = (
    Operation(
        "POST",
        "/import/pictures/{file}",
        PAGE,
        import_picture,
        ImportedFile,
        takes=KINDS,
        params=PictureFile,
        refused=409,
    ),
)
