"""The version whose check judges pictures that the store did not draw."""

from sqlalchemy import Engine

from feedback.check.version_check import VersionCheck
from feedback.succession import alias_target
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
        who = "this store has no champion" if version is None else f"the champion, v{version.number}, has no check"
        raise BadRequest(f"{who}, so nothing can be scored; retrain, then promote the new version")
    if not check.is_on:
        raise BadRequest(f"the champion, v{version.number}, cannot score pictures: {check.off}")
    return version, check
