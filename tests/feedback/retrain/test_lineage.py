from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.retrain.lineage import Use, find_image, lineage_counts, removed_rejects, trained_on, uses_of
from feedback.retrain.manifest import freeze
from feedback.versions import get_version
from store.engine import reading
from store.tables import Image, Role, Verdict
from tests.feedback.retrain.test_manifest import BASE, vote_on


@pytest.fixture
def two_versions(any_engine: Engine, fill: Callable, publish_version: Callable) -> tuple[Engine, list[str]]:
    """v1 trained on rejects 1 and 2, v2 on 2 and 3: picture 1 became a keep in between. Their manifests."""
    fill(any_engine)
    vote_on(any_engine, {1: Verdict.reject, 2: Verdict.reject})
    first = freeze(any_engine, BASE).id
    publish_version(any_engine, 1, manifest_id=first)
    vote_on(any_engine, {1: Verdict.keep, 3: Verdict.reject})
    second = freeze(any_engine, BASE).id
    publish_version(any_engine, 2, manifest_id=second, parent=1)
    return any_engine, [first, second]


def test_rejects_and_those_that_the_parent_lacks_are_counted(two_versions) -> None:
    engine, (first, second) = two_versions
    with reading(engine) as session:
        assert lineage_counts(session, first, None) == (2, 2)
        assert lineage_counts(session, second, first) == (2, 1)
        assert lineage_counts(session, None, first) == (0, 0)
    assert removed_rejects(engine, second, first) == 1


def test_pictures_come_newest_first_and_say_whether_they_are_new(two_versions) -> None:
    engine, _ = two_versions
    version = get_version(engine, 2)
    assert [(one.image_id, one.is_new) for one in trained_on(engine, version, Role.reject, 9)] == [
        (3, True),
        (2, False),
    ]
    removed = trained_on(engine, version, Role.reject, 9, is_removed=True)
    assert [(one.image_id, one.rejects, one.keeps) for one in removed] == [(1, 0, 1)]


def test_a_picture_leads_to_every_version_it_trained(two_versions) -> None:
    engine, _ = two_versions
    uses = uses_of(engine, 1)
    assert [(use.version, use.role) for use in uses] == [(1, Role.reject), (2, Role.keep)]
    assert all(isinstance(use, Use) for use in uses)


def test_a_picture_is_found_by_number_and_by_the_start_of_its_hash(two_versions) -> None:
    engine, _ = two_versions
    with reading(engine) as session:
        sha256 = session.get_one(Image, 2).sha256
    assert {find_image(engine, named).id for named in ("2", sha256, sha256[:8], f" {sha256[:12].upper()} ")} == {2}
    assert [find_image(engine, named) for named in ("99", sha256[:7] + "x", "")] == [None, None, None]
