"""The route that hands out a version's files; for whoever may open Versions."""

from collections.abc import Callable

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from feedback.versions import get_version
from store.errors import BadRequest
from store.layout import layout_of
from store.settings import Settings
from store.settings.live import as_changed
from store.tables import Version
from ui.export.card import hub_card
from ui.export.files import Format, files_for, lora_file, require_whole, zip_chunks, zip_name
from ui.export.programs import diffusers_name, kohya_name
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import in_sentences
from ui.signin.powers import permit
from ui.web import process

PAGE = "Versions"
ADDRESS = "/naysayer/version"
CARD = "card"


def export_address(number: int, what: str) -> str:
    """Where a version's files lie: `what` is a Format, or CARD."""
    return process.settings().below(f"{ADDRESS}/{number}/{what}")


def export_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The route; it asks who sends the request, and whether the page is open to them."""

    def find(request: Request) -> Response:
        permit(PAGE, identify_sender(engine(), settings, request))
        version = get_version(engine(), request.path_params["number"])
        return handed_out(as_changed(settings), version, request.path_params["what"])

    async def give_files(request: Request) -> Response:
        """A version's zip for ComfyUI, its LoRA for another program, or its model card; for admins."""
        return await run_in_threadpool(find, request)

    return [Route(f"{ADDRESS}/{{number:int}}/{{what}}", in_sentences(give_files), methods=["GET"])]


def handed_out(settings: Settings, version: Version, what: str) -> Response:
    """One download of a version. Raises BadRequest for what there is none of, DamagedStore for an altered file."""
    if what == CARD:
        return Response(
            hub_card(version), media_type="text/markdown", headers=saved_as(f"naysayer-v{version.number}.md")
        )
    if what not in list(Format):
        raise BadRequest(f"a version has {', '.join(Format)} and {CARD}; {what[:40]!r} was asked for")
    form = Format(what)
    if form is Format.comfyui:
        entries = files_for(settings, version, form)
        headers = saved_as(zip_name(version, form))
        return StreamingResponse(zip_chunks(entries), media_type="application/zip", headers=headers)
    layout = layout_of(settings)
    require_whole(layout, version)
    name = diffusers_name(version) if form is Format.diffusers else kohya_name(version)
    path = lora_file(layout, version, form).content
    assert not isinstance(path, bytes)
    return FileResponse(path, media_type="application/octet-stream", filename=name, headers=NOT_KEPT)


NOT_KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def saved_as(name: str) -> dict[str, str]:
    """The headers of a download."""
    return NOT_KEPT | {"content-disposition": f'attachment; filename="{name}"'}
