"""The version whose check judges pictures that the store did not draw."""

from sqlalchemy import Engine

from feedback.check.version_check import VersionCheck
from feedback.succession import PLAIN, alias_target
from feedback.versions import require_version
from store.engine import reading
from store.errors import BadRequest
from store.tables import AliasName, Version


def judging_champion(engine: Engine) -> tuple[Version, VersionCheck]:
    """The champion and its check. Raises BadRequest where there is none, or it is off."""
    with reading(engine) as session:
        number = alias_target(session, AliasName.champion)
        version = None if number is None else require_version(session, number)
    check = None if version is None else VersionCheck.of(version)
    if version is None or check is None:
        raise BadRequest(
            f"{_without(version)}, so nothing can be scored; rate pictures, retrain, then promote the new version"
        )
    if not check.is_on:
        raise BadRequest(f"the champion, v{version.number}, cannot score pictures: {check.off}")
    return version, check


def why_no_check(engine: Engine) -> str:
    """Why no picture can be scored now, and what to do; empty where one can."""
    try:
        judging_champion(engine)
    except BadRequest as error:
        return str(error)
    return ""


def _without(version: Version | None) -> str:
    if version is None:
        return "this store has no champion"
    why = " (it is the plain model)" if version.number == PLAIN else ""
    return f"the champion, v{version.number}, has no check{why}"
