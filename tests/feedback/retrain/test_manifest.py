import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, event
from sqlmodel import select

from feedback.pool.pool import Due, PoolItem, how_due
from feedback.pool.share import SHARE
from feedback.pool.split import split_of
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import FrozenManifest, freeze, load_manifest, refuse_too_few
from store.engine import reading, writing
from store.errors import DamagedStore, TooFewRejects
from store.files import sha256_of
from store.tables import Image, Manifest, ManifestItem, Origin, Role, Split, Verdict

REQUEST = count()
BASE = "0" * 64


def item(image_id: int, role: Role = Role.reject, split: Split = Split.train) -> PoolItem:
    return PoolItem(image_id, f"{image_id:064x}", None, "ein roter Stern — ★", 7, 64, 64, role, split, 1, 0)


def vote(engine: Engine, image: int, verdict: Verdict = Verdict.reject, rater: str = "ann") -> None:
    vote_on(engine, {image: verdict}, rater)


def vote_on(engine: Engine, verdicts: dict[int, Verdict], rater: str = "ann") -> None:
    next_images(engine, rater, Terms(9, 600), count=99)
    presses = [Press(f"request {next(REQUEST)}", image, verdict) for image, verdict in verdicts.items()]
    assert not any(receipt.refused for receipt in record_votes(engine, rater, presses, Terms(9, 600)))


def lineage(engine: Engine, manifest_id: str) -> list[tuple[int, str, str]]:
    with reading(engine) as session:
        rows = session.exec(select(ManifestItem).where(ManifestItem.manifest_id == manifest_id))
        return sorted((row.image_id, row.role.value, row.split.value) for row in rows)


def test_the_id_is_the_hash_of_canonical_json() -> None:
    manifest = FrozenManifest(BASE, (item(1), item(2, Role.keep)))
    assert manifest.id == sha256_of(manifest.body.encode()) == FrozenManifest(BASE, manifest.items).id
    again = json.dumps(json.loads(manifest.body), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert again == manifest.body
    assert manifest.body.isascii()


def test_the_id_of_a_known_manifest_never_changes() -> None:
    assert FrozenManifest(BASE, (item(1), item(2, Role.keep, Split.held_out))).id == KNOWN_ID


KNOWN_ID = "8060ad4b3254a15e1623e02f11fa427453b2648a9b66e21af956ce71da1b2f4d"


@pytest.mark.parametrize(
    "changed",
    [
        {"role": Role.keep},
        {"split": Split.held_out},
        {"rejects": 2},
        {"seed": 8},
        {"prompt": "x"},
        {"sha256": "f" * 64},
        {"weight": 0.75},
        {"latent_sha256": "f" * 64},
        {"width": 65},
        {"image_id": 7},
        {"keeps": 1},
    ],
)
def test_any_difference_gives_another_id(changed: dict) -> None:
    assert FrozenManifest(BASE, (replace(item(1), **changed),)).id != FrozenManifest(BASE, (item(1),)).id
    assert FrozenManifest("1" * 64, (item(1),)).id != FrozenManifest(BASE, (item(1),)).id


def test_a_manifest_holds_the_pool_with_the_votes_behind_it(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    for image, verdict in [(1, Verdict.reject), (2, Verdict.keep), (3, Verdict.reject), (4, Verdict.skip)]:
        vote(any_engine, image, verdict)
    vote(any_engine, 1, Verdict.reject, "bob")
    vote(any_engine, 3, Verdict.keep, "bob")
    manifest = freeze(any_engine, BASE)
    assert [(i.image_id, i.role, i.rejects, i.keeps) for i in manifest.items] == [
        (1, Role.reject, 2, 0),
        (2, Role.keep, 0, 1),
    ]
    assert [(i.prompt, i.seed, i.split) for i in manifest.items] == [
        ("a red star", 0, split_of("a red star", 0)),
        ("a blue hand", 1, split_of("a blue hand", 1)),
    ]


def test_the_lineage_rows_equal_the_snapshot_and_it_loads_the_same(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=40)
    vote_on(any_engine, {image: Verdict.keep if image % 3 else Verdict.reject for image in images})
    manifest = freeze(any_engine, BASE)
    assert {i.split for i in manifest.items} == {Split.train, Split.held_out}
    assert lineage(any_engine, manifest.id) == [(i.image_id, i.role.value, i.split.value) for i in manifest.items]
    loaded = load_manifest(any_engine, manifest.id)
    assert (loaded, loaded.id, loaded.body) == (manifest, manifest.id, manifest.body)
    by_kind = [i for role in Role for split in Split for i in loaded.of(role, split)]
    assert sorted(by_kind, key=lambda i: i.image_id) == list(manifest.items)


def test_freezing_the_same_pool_twice_is_one_manifest(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    vote(any_engine, 1)
    assert freeze(any_engine, BASE) == freeze(any_engine, BASE)
    with reading(any_engine) as session:
        assert len(session.exec(select(Manifest)).all()) == 1


def test_a_store_holds_each_item_once_however_often_the_pool_is_frozen(any_engine: Engine, fill: Callable) -> None:
    frozen = []
    for turn in range(8):
        images = fill(any_engine, images=20)
        vote_on(any_engine, {image: Verdict.keep if image % 3 else Verdict.reject for image in images})
        if turn == 4:
            vote(any_engine, frozen[0].items[0].image_id, Verdict.undo)
            vote(any_engine, frozen[0].items[1].image_id, Verdict.keep, "bob")
        frozen.append(freeze(any_engine, BASE))
    with reading(any_engine) as session:
        held = {row.id: len(row.body) for row in session.exec(select(Manifest))}
    assert len(frozen[-1].items) > 150
    assert sum(held.values()) < 1.2 * len(frozen[-1].body)
    for manifest in frozen:
        loaded = load_manifest(any_engine, manifest.id)
        assert (loaded, loaded.body) == (manifest, manifest.body)


def test_a_whole_manifest_of_an_earlier_program_is_read_and_built_upon(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=6)
    vote(any_engine, 1)
    old = freeze(any_engine, BASE)
    with writing(any_engine) as session:
        session.get_one(Manifest, old.id).body = old.body
    vote(any_engine, 2)
    new = freeze(any_engine, BASE)
    assert load_manifest(any_engine, old.id) == old
    assert load_manifest(any_engine, new.id) == new


@pytest.mark.parametrize("harm", ["item", "earlier"])
def test_a_manifest_that_was_changed_is_not_trained_on(harm: str, engine: Engine, fill: Callable) -> None:
    fill(engine, images=20)
    for image in range(1, 10):
        vote(engine, image)
    first = freeze(engine, BASE)
    vote(engine, 11)
    second = freeze(engine, BASE)
    with writing(engine) as session:
        row = session.get_one(Manifest, second.id if harm == "item" else first.id)
        row.body = row.body.replace('"width":64', '"width":65', 1)
    with pytest.raises(DamagedStore, match="has changed; restore a backup"):
        load_manifest(engine, second.id)
    vote(engine, 12)
    third = freeze(engine, BASE)
    assert load_manifest(engine, third.id) == third


def test_votes_after_the_freeze_do_not_change_it(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    vote(any_engine, 1)
    vote(any_engine, 2, Verdict.keep)
    manifest = freeze(any_engine, BASE)
    before = lineage(any_engine, manifest.id)
    vote(any_engine, 1, Verdict.undo)
    vote(any_engine, 2, Verdict.reject)
    vote(any_engine, 3)
    assert load_manifest(any_engine, manifest.id) == manifest
    assert lineage(any_engine, manifest.id) == before
    assert freeze(any_engine, BASE).id != manifest.id


def test_votes_during_the_freeze_stay_out_of_it(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    for rater in ("ann", "bob", "cyd"):
        vote(any_engine, 1, rater=rater)
    before = freeze(any_engine, BASE)
    waiting = [lambda: vote(any_engine, 1, Verdict.keep, "cyd"), lambda: vote(any_engine, 2)]

    def once_the_pool_was_read(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
        if waiting and "JOIN image_tally" in statement:
            votes = waiting[:]
            waiting.clear()  # first, because votes run such queries themselves
            for cast in votes:
                cast()

    event.listen(any_engine, "after_cursor_execute", once_the_pool_was_read)
    during = freeze(any_engine, BASE)
    event.remove(any_engine, "after_cursor_execute", once_the_pool_was_read)
    assert waiting == []
    assert during == before
    assert freeze(any_engine, BASE) != before


def test_evaluation_images_never_enter(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=2)
    [grid] = fill(any_engine, images=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.get_one(Image, grid).is_queued = True
    vote_on(any_engine, {1: Verdict.reject, grid: Verdict.reject})
    assert [i.image_id for i in freeze(any_engine, BASE).items] == [1]
    assert how_due(any_engine, 1).new_rejects == 1


def test_too_few_rejects_are_refused_and_nothing_is_recorded(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    with pytest.raises(TooFewRejects, match="0 rejects in the pool, 1 needed"):
        refuse_too_few(any_engine, SHARE)
    vote(any_engine, 1)
    vote(any_engine, 2, Verdict.keep)
    refuse_too_few(any_engine, SHARE)
    with pytest.raises(TooFewRejects) as caught:
        freeze(any_engine, BASE, min_rejects=2)
    assert (caught.value.found, caught.value.needed) == (1, 2)
    with reading(any_engine) as session:
        assert session.exec(select(Manifest)).all() == []


def test_only_rejects_the_newest_version_was_not_trained_on_are_new(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    fill(any_engine)
    vote(any_engine, 1)
    vote(any_engine, 2)
    assert how_due(any_engine, 2) == Due(2, 2)
    publish_version(any_engine, 1, manifest_id=freeze(any_engine, BASE).id)
    assert how_due(any_engine, 2) == Due(0, 2)
    vote(any_engine, 3)
    vote(any_engine, 1, Verdict.undo)
    assert how_due(any_engine, 2) == Due(1, 2)


def test_the_sentence_says_how_many_are_missing() -> None:
    assert (Due(3, 5).is_due, Due(5, 5).is_due, Due(6, 5).is_due) == (False, True, True)
    assert "2 more to go" in Due(3, 5).sentence
    assert "a retrain is due" in Due(5, 5).sentence


def test_a_picture_keeps_its_side_when_its_verdict_flips(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine, images=30)
    vote_on(any_engine, dict.fromkeys(images, Verdict.reject))
    sides = {i.image_id: i.split for i in freeze(any_engine, BASE).items}
    vote_on(any_engine, dict.fromkeys(images, Verdict.keep))
    vote(any_engine, 30, Verdict.undo)
    later = freeze(any_engine, BASE, min_rejects=0).items
    assert {i.image_id: i.split for i in later} == {n: side for n, side in sides.items() if n != 30}
    with reading(any_engine) as session:
        assert len(session.exec(select(Image)).all()) == 30


def test_a_pool_that_is_too_small_for_its_lost_pictures_says_so(any_engine: Engine, fill: Callable) -> None:
    images = fill(any_engine)
    vote_on(any_engine, dict.fromkeys(images, Verdict.reject))
    with pytest.raises(TooFewRejects, match=rf"0 rejects .* {len(images)} rated pictures left out, .*naysayer restore"):
        freeze(any_engine, BASE, find_lost=lambda items: {item.image_id for item in items})
