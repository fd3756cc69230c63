"""The route to which the part Pictures sends files, one a request, each straight to disk."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from store.errors import BadRequest
from store.settings import Settings
from ui.dashboard.setup.desk import PAGE
from ui.dashboard.setup.pictures.tray import TRAYS, Tray
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import Answer, in_json
from ui.signin.powers import permit
from ui.web.limits import TooLong
from ui.web.receiving import MOST_AT_ONCE, receive_file


def picture_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The route; it asks who sends the file, and whether the page is open to them."""

    def choose(request: Request) -> tuple[Tray, Path]:
        permit(PAGE, identify_sender(engine(), settings, request))
        tray = TRAYS.get(request.path_params["tray"])
        if tray is None:
            raise BadRequest("this page waited too long; load it again and choose the files once more")
        return tray, tray.place(request.query_params.get("name", ""), _length(request))

    async def take_file(request: Request) -> Answer:
        """Keeps a file for the import that is being prepared on *Setup*; for admins."""
        tray, path = await run_in_threadpool(choose, request)
        path.unlink(missing_ok=True)  # sent again after a lost answer
        try:
            length = await receive_file(request, path, MOST_AT_ONCE)
        except TooLong as error:
            raise BadRequest(f"{path.name} has more than {MOST_AT_ONCE >> 30} GiB") from error
        tray.names[str(path.relative_to(tray.folder))] = length
        return {"bytes": length}

    return [Route("/naysayer/pictures/{tray}", in_json(take_file), methods=["POST"])]


def _length(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() else 0
