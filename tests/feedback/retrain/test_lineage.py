from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.pool.split import split_of
from feedback.retrain.lineage import Use, find_image, lineage_counts, removed_rejects, trained_on, uses_of
from feedback.retrain.manifest import freeze
from feedback.versions import get_version
from store.engine import reading, writing
from store.tables import Image, Role, Split, Verdict
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


def test_a_picture_of_a_manifest_comes_with_all_that_the_page_shows(two_versions) -> None:
    engine, _ = two_versions
    with reading(engine) as session:
        image = session.get_one(Image, 3)
    [newest] = trained_on(engine, get_version(engine, 2), Role.reject, 1)
    assert (newest.image_id, newest.sha256, newest.width, newest.seed) == (3, image.sha256, 64, image.seed)
    assert (newest.prompt, newest.version, newest.rejects, newest.keeps) == ("a green word", 0, 1, 0)
    assert newest.is_held_out is (split_of("a green word", image.seed) is Split.held_out)
    keeps = trained_on(engine, get_version(engine, 2), Role.keep, 9)
    assert [(one.image_id, one.is_new, one.keeps) for one in keeps] == [(1, True, 1)]
    assert trained_on(engine, get_version(engine, 0), Role.reject, 9) == []
    first = trained_on(engine, get_version(engine, 1), Role.reject, 9)
    assert [(one.image_id, one.is_new) for one in first] == [(2, True), (1, True)]


def test_without_a_parent_nothing_was_removed(two_versions) -> None:
    engine, (first, second) = two_versions
    assert removed_rejects(engine, second, None) == 0
    assert removed_rejects(engine, first, second) == 1
    assert trained_on(engine, get_version(engine, 1), Role.reject, 9, is_removed=True) == []


def test_the_uses_of_a_picture_name_role_and_split(two_versions) -> None:
    engine, _ = two_versions
    with reading(engine) as session:
        split = split_of("a blue hand", session.get_one(Image, 2).seed)
    assert uses_of(engine, 2) == [Use(1, Role.reject, split), Use(2, Role.reject, split)]
    assert uses_of(engine, 6) == []


def test_of_several_hashes_the_one_that_begins_so_is_found(two_versions) -> None:
    engine, _ = two_versions
    with writing(engine) as session:
        for number, start in ((1, "00000000"), (2, "5555aaaa"), (3, "5555aaab"), (4, "ffffffff"), (5, "12345678")):
            session.get_one(Image, number).sha256 = start + session.get_one(Image, number).sha256[8:]
    for number, start in ((1, "00000000"), (2, "5555aaaa"), (3, "5555aaab"), (4, "ffffffff"), (5, "12345678")):
        assert find_image(engine, start).id == number
    assert find_image(engine, "5555aaac") is None
    assert find_image(engine, "5555aaa") is None
    assert find_image(engine, "3").id == 3
