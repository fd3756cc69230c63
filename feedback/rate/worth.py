"""How much votes on waiting pictures would teach, by the checks of the newest versions."""

from collections import defaultdict
from collections.abc import Sequence

from sqlmodel import Session, col, select

from feedback.check.teaching import COMMITTEE, worth
from feedback.check.version_check import VersionCheck
from store.tables import PictureScore, Version


def worths(session: Session, images: Sequence[int]) -> dict[int, float]:
    """What a vote on each of these pictures would teach, 0 to 1, where a check that is on scored it."""
    scored = select(PictureScore.image_id, PictureScore.version, PictureScore.score)
    rows = session.exec(
        scored.where(col(PictureScore.image_id).in_(images), col(PictureScore.is_out_of_sample)).order_by(
            col(PictureScore.version).desc()
        )
    ).all()
    numbers = {version for _, version, _ in rows}
    checks = {number: VersionCheck.of(session.get_one(Version, number)) for number in numbers}
    chances: dict[int, list[float]] = defaultdict(list)
    for image, version, score in rows:
        check = checks[version]
        chance = check.chance(score) if check else None
        if chance is not None and len(chances[image]) < COMMITTEE:
            chances[image].append(chance)
    return {image: worth(found) for image, found in chances.items()}
