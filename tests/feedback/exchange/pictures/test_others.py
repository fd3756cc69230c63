"""Pictures that another base drew: only rated, unless a setting gives them a weight in training."""

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.exchange.pictures.bases import parse_models, remember
from feedback.exchange.pictures.others import follow_setting, pictures_of_other_bases
from feedback.pool.curation import curate
from feedback.pool.pool import how_due
from feedback.retrain.manifest import freeze, load_manifest
from store.engine import reading
from store.tables import PoolAction, PoolEvent
from tests.feedback.exchange.pictures.brought import OTHER, OURS, bring, folder_of, imported, png, seen
from tests.feedback.rating import KEEP, REJECT, pool_ids, rate

BASE = "0" * 64
SD1 = OURS.replace("builtin", "v1-5-pruned-emaonly")


@pytest.fixture
def store(engine: Engine, fill) -> Engine:
    """A store that has drawn four pictures of 64×64, and knows that `fox` is another SDXL checkpoint."""
    fill(engine, images=4)
    remember(engine, parse_models(["45a21ea00a=sdxl"]))
    return engine


@pytest.fixture
def others(settings, store, tmp_path) -> list[int]:
    """A picture of the store's base, two of another checkpoint and one of it in another size, all rejected."""
    files = {
        "a__png": png("ours"),
        "b__png": png("a fox", settings=OTHER),
        "c__png": png("a wolf", settings=OTHER),
        "d__png": png("an owl", settings=OTHER.replace("64x64", "72x72"), size=(72, 72)),
    }
    bring(settings, store, folder_of(tmp_path / "in", **files))
    images = [image.id for image in imported(store)]
    rate(store, "Ann", dict.fromkeys(images, REJECT))
    return images


def newest_reason(engine: Engine, image: int) -> str:
    with reading(engine) as session:
        events = session.exec(select(PoolEvent).where(PoolEvent.image_id == image).order_by(PoolEvent.id))
        return list(events)[-1].reason


def test_the_setting_takes_them_in_and_out_again(store, others):
    ours, fox, wolf, owl = others
    assert pool_ids(store) == [ours]
    assert newest_reason(store, fox).startswith("it was drawn by another SDXL checkpoint (fox) than this store's base")
    assert follow_setting(store, 0.5) == 2
    assert pool_ids(store) == [ours, fox, wolf]
    assert how_due(store, 9).new_rejects == 3
    assert follow_setting(store, 0.5) == 0
    assert follow_setting(store, 0.0) == 2
    assert pool_ids(store) == [ours]
    assert pictures_of_other_bases(store) == [fox, wolf, owl]


def test_what_a_person_decided_stays(store, others):
    ours, fox, wolf, _ = others
    curate(store, [fox], PoolAction.restore, by="root", reason="it is much like ours")
    follow_setting(store, 0.0)
    assert pool_ids(store) == [ours, fox]
    follow_setting(store, 0.5)
    curate(store, [wolf], PoolAction.exclude, by="root", reason="it is not")
    follow_setting(store, 0.5)
    assert pool_ids(store) == [ours, fox]


def test_a_model_that_is_named_later_brings_its_pictures_in(settings, store, tmp_path):
    unknown = OTHER.replace("45a21ea00a", "1111111111").replace("Model: fox", "Model: lynx")
    bring(settings, store, folder_of(tmp_path / "in", a__png=png("a fox", settings=unknown)))
    rate(store, "Ann", {image.id: REJECT for image in imported(store)})
    assert (follow_setting(store, 0.0), pool_ids(store)) == (0, [])
    remember(store, parse_models(["lynx=ours"]))
    assert (follow_setting(store, 0.0), len(pool_ids(store))) == (1, 1)


def test_other_kinds_of_model_are_refused_unless_they_have_a_weight(settings, store, tmp_path):
    path = folder_of(tmp_path / "in", a__png=png("a fox", settings=SD1))
    said = seen(store, path)["a.png"]
    assert said.startswith("not SDXL: its base is sd1, not SDXL; NAYSAYER_OTHER_BASES=0.5 takes it in")
    assert bring(settings, store, path)[0].refused.total() == 1
    report, _ = bring(settings, store, path, other_bases=0.5)
    assert (report.new, report.left_out) == (1, 0)
    [image] = imported(store)
    rate(store, "Ann", {image.id: KEEP})
    assert pool_ids(store) == pictures_of_other_bases(store) == [image.id]
    follow_setting(store, 0.0)
    assert pool_ids(store) == []
    assert newest_reason(store, image.id).startswith("it was drawn by another base (sd1)")


def test_a_manifest_records_how_many_there_are_and_their_weight(store, others):
    plain = freeze(store, BASE)
    assert (plain.of_other_bases, plain.words) == ({}, "1 rated picture")
    assert "factor" not in plain.body
    follow_setting(store, 0.25)
    frozen = freeze(store, BASE, factors=dict.fromkeys(pictures_of_other_bases(store), 0.25))
    assert frozen.of_other_bases == {"pictures": 2, "weight": 0.25}
    assert frozen.words == "3 rated pictures, 2 of them drawn by other bases, at weight 0.25"
    assert load_manifest(store, frozen.id) == frozen
