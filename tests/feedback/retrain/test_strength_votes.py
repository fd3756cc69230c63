from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.retrain.strength_votes import judged_strengths
from store.engine import writing
from store.tables import Image, ImageTally, Origin


@pytest.fixture
def drawn(any_engine: Engine, fill: Callable) -> Engine:
    """Evaluation pictures at the strengths 2, 2, 4 and 4, and a sampled one; votes on four of them."""
    grid = fill(any_engine, images=4, origin=Origin.evaluation)
    [sampled] = fill(any_engine, images=1)
    tallies = {grid[0]: (2, 1), grid[1]: (0, 1), grid[2]: (1, 1), sampled: (3, 0)}
    with writing(any_engine) as session:
        for image, strength in zip([*grid, sampled], (2.0, 2.0, 4.0, 4.0, 2.0), strict=True):
            row = session.get_one(Image, image)
            row.rule, row.strength = "same-prompt", strength
        for image, (rejects, keeps) in tallies.items():
            session.merge(ImageTally(image_id=image, rejects=rejects, keeps=keeps))
    return any_engine


def test_only_judged_evaluation_pictures_count_and_a_tie_is_not_judged(drawn: Engine) -> None:
    assert judged_strengths(drawn, "same-prompt") == {2.0: (1, 2)}


def test_pictures_under_another_rule_do_not_count(drawn: Engine) -> None:
    assert judged_strengths(drawn, "negative-half") == {}


def test_each_strength_is_counted_by_itself(drawn: Engine) -> None:
    with writing(drawn) as session:
        session.merge(ImageTally(image_id=3, rejects=0, keeps=2))
        session.merge(ImageTally(image_id=4, rejects=3, keeps=0))
    assert judged_strengths(drawn, "same-prompt") == {2.0: (1, 2), 4.0: (1, 2)}
