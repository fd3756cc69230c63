"""The route behind the page Pool's *Export*: the pictures that pass its filter, votes and pairs, as one zip."""

from collections.abc import Callable, Iterator
from itertools import chain

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from feedback.exchange.outgoing.card import Held
from feedback.exchange.outgoing.chosen import BOTH, Wanted
from feedback.exchange.outgoing.parts import parts_of
from feedback.pool.browse.gallery import Filter
from store.archive.work import work_folder
from store.errors import BadRequest
from store.files import make_folder
from store.layout import Layout, layout_of
from store.settings import Settings
from ui.dashboard.pool.answers import read_filter
from ui.export.files import Entry, zip_chunks
from ui.export.routes import saved_as
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import in_sentences
from ui.signin.powers import permit

PAGE = "Pool"
NAME = "naysayer-data"


def download_route(engine: Callable[[], Engine], settings: Settings) -> Route:
    """The route; it asks who sends the request, and whether the page is open to them."""

    def zipped(request: Request) -> Response:
        permit(PAGE, identify_sender(engine(), settings, request))
        wanted = wanted_of(read_filter(request.query_params))
        return zip_response(data_entries(engine(), layout_of(settings), wanted))

    async def export_data(request: Request) -> Response:
        """A zip of the pictures that pass the filter, with votes and pairs, raters under pseudonyms; for curators."""
        return await run_in_threadpool(zipped, request)

    return Route("/naysayer/pool/data", in_sentences(export_data), methods=["GET"])


def zip_response(entries: Iterator[Entry]) -> Response:
    """The files as one zip, streamed. Raises BadRequest when there is none."""
    if (first := next(entries, None)) is None:
        raise BadRequest("no picture passes this filter, so there is nothing to export")
    chunks = zip_chunks(chain([first], entries))
    return StreamingResponse(chunks, media_type="application/zip", headers=saved_as(f"{NAME}.zip"))


def wanted_of(chosen: Filter) -> Wanted:
    """Rejects and keeps together, whichever of them the page shows: who trains needs both."""
    return Wanted(BOTH if chosen.which in BOTH else (chosen.which,), chosen)


def data_entries(engine: Engine, layout: Layout, wanted: Wanted) -> Iterator[Entry]:
    """The files of an export, each made when it is asked for; none where no picture is chosen.

    What was handed out is deleted, so the disk holds the tables and one file of pairs at most.
    """
    make_folder(layout.cache)
    held = Held()
    with work_folder(layout.cache) as scratch:
        for part in parts_of(engine, layout.blobs, wanted, scratch, NAME, held):
            if not held.pictures and not part.name.endswith(".png"):
                return
            assert part.content is not None
            yield Entry(f"{NAME}/{part.name}", part.content)
            if not isinstance(part.content, bytes):
                part.content.unlink()
