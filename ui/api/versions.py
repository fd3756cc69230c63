"""Operations on versions, for admins: their figures and files, and which one is champion."""

from starlette.responses import Response

from feedback.figures.summary import VersionRow, version_rows
from feedback.gate.by_hand import promote_by_hand
from feedback.versions import get_version, roll_back
from feedback.webhook import announce
from store.layout import layout_of
from ui.api.bodies import (
    Champion,
    OneVersion,
    Promotion,
    Rollback,
    VersionFigures,
    VersionFile,
    VersionList,
)
from ui.api.operation import Asked, Operation
from ui.export.routes import handed_out

PAGE = "Versions"


def list_versions(asked: Asked) -> VersionList:
    """All versions with their figures, newest first."""
    return VersionList(versions=[_figures(row) for row in version_rows(asked.engine)])


def give_file(asked: Asked) -> Response:
    """A version's LoRA for one program, or its model card."""
    params: VersionFile = asked.params
    version = get_version(asked.engine, params.number)
    return handed_out(asked.settings, version, params.what)  # refused for the plain base, which has no LoRA


def promote(asked: Asked) -> Champion:
    """Makes a version the champion; what forbids it on the page forbids it here."""
    params: OneVersion = asked.params
    body: Promotion = asked.body
    reason = _signed(asked, body.reason)
    promote_by_hand(asked.engine, layout_of(asked.settings), params.number, reason, force=body.force)
    announce(asked.engine, asked.settings)
    return Champion(champion=params.number)


def restore_champion(asked: Asked) -> Champion:
    """Restores the previous champion; send it again to go back another step."""
    body: Rollback = asked.body
    champion = roll_back(asked.engine, _signed(asked, body.reason))
    announce(asked.engine, asked.settings)
    return Champion(champion=champion)


def _signed(asked: Asked, reason: str) -> str:
    """The reason, with who gave it: the history of versions has no other place for that."""
    return f"{reason.strip()} ({asked.person.name}, by the API)"


def _figures(row: VersionRow) -> VersionFigures:
    low, high = (row.interval.low, row.interval.high) if row.judged else (None, None)
    return VersionFigures(
        number=row.number,
        aliases=list(row.aliases),
        is_withdrawn=row.is_withdrawn,
        votes=row.votes,
        raters=row.raters,
        judged=row.judged,
        rejected=row.rejected,
        rate=row.rate,
        low=low,
        high=high,
        trained_on=row.trained_on,
        created_at=row.created_at,
    )


FILES = ("application/octet-stream", "application/zip", "text/markdown")
VERSIONS = (
    Operation("GET", "/versions", PAGE, list_versions, VersionList),
    Operation("GET", "/versions/{number}/files/{what}", PAGE, give_file, FILES, params=VersionFile, refused=404),
    Operation(
        "POST", "/versions/{number}/promote", PAGE, promote, Champion, body=Promotion, params=OneVersion, refused=409
    ),
    Operation("POST", "/rollback", PAGE, restore_champion, Champion, body=Rollback, refused=409),
)
