"""Votes that a version's check contradicts."""

from math import log

from sqlalchemy import Engine

from feedback.check.calibration import Curve
from feedback.check.version_check import How, VersionCheck
from feedback.retrain.looks import record_slips
from feedback.versions import publish
from store.engine import writing
from store.tables import PictureScore, Version

ON = VersionCheck(How((800,), 2, 4), off="", curve=Curve(slope=1.0))


def doubt(engine: Engine, number: int, chances: dict[int, float], check: VersionCheck | None = ON) -> int:
    """Publishes a version whose check gives the pictures these chances of a reject; how many votes look like slips."""
    version = Version(
        number=number,
        parent=0,
        sha256=f"{number:064x}",
        base_model="builtin",
        base_sha256="0" * 64,
        check=check and check.as_json(),
    )
    with writing(engine) as session:
        publish(session, version, "made by a test")
        for image, chance in chances.items():
            score = log(chance / (1 - chance))
            session.add(PictureScore(image_id=image, version=number, score=score, is_out_of_sample=True))
        return record_slips(session, number)
