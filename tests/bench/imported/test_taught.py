"""Imported pictures beside sampled ones: the arithmetic, and a small comparison for real."""

import json

import pytest
from PIL import Image

from bench.imported.arms import JPEG, PNG, SAMPLED, Arms, rated_pictures, write_jpeg, write_png
from bench.imported.taught import BASE, Taught, finished, measure, summary, table
from bench.loop.rows import Plan
from feedback.metadata.read import read_bytes
from feedback.retrain.manifest import load_manifest
from store.migrate import open_store
from store.settings import Settings
from tests.bench.asking.test_votes_saved import SMALLEST
from tests.bench.loop.conftest import DRAWN

INFOTEXT = "a red star\nSteps: 20, Sampler: Euler, CFG scale: 3, Seed: 7, Size: 64x64, Model: builtin, Version: v1.10.1"


def taught(arm: str, *wrong: int, replicate: int = 0) -> Taught:
    return Taught(replicate, arm, [bool(one) for one in wrong], 0.8, 0.1 * (arm in (PNG, JPEG)))


TAUGHT = [
    taught(BASE, 1, 1, 1, 0),
    taught(SAMPLED, 0, 0, 1, 1),
    taught(PNG, 0, 1, 0, 0),
    taught(BASE, 1, 0, 0, 0, replicate=1),
    taught(SAMPLED, 0, 0, 0, 0, replicate=1),
    taught(PNG, 0, 0, 0, 1, replicate=1),
]


def test_arms_are_compared_on_the_same_pictures_of_the_same_replicate():
    found = summary(TAUGHT)
    assert {arm: (row["rate"], row["n"]) for arm, row in found.items()} == {
        BASE: (0.5, 8),
        SAMPLED: (0.25, 8),
        PNG: (0.25, 8),
    }
    against = found[PNG]["against"]
    assert (against[SAMPLED]["mended"], against[SAMPLED]["broke"], against[SAMPLED]["paired"]) == (2, 2, 0)
    assert (against[BASE]["mended"], against[BASE]["broke"]) == (3, 1)
    assert against[SAMPLED]["paired_low"] < 0 < against[SAMPLED]["paired_high"]
    assert found[PNG]["by_replicate"] == {0: 1, 1: 1}
    assert json.loads(json.dumps(found))[PNG]["encoded_error"] == pytest.approx(0.1)
    assert "against sampled  +0.0 (" in table(TAUGHT)


@pytest.mark.parametrize("write", [write_png, write_jpeg])
def test_the_files_are_read_as_those_of_the_other_program(write):
    ending, data = write(Image.new("RGB", (64, 64), "red"), INFOTEXT)
    found, _ = read_bytes(data, f"a.{ending}", [], {})
    assert (found.status, found.tool, found.prompt, found.seed) == ("ok", "A1111", "a red star", 7)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_both_arms_train_on_the_same_pictures_and_votes(tmp_path):
    settings = Settings(_env_file=None, cross_fit=False, **SMALLEST)
    plan = Plan(votes=16, prompts=3, seeds=2)
    found = measure(settings, tmp_path, plan, (SAMPLED, PNG), [5], 1)
    assert [one.arm for one in found] == [BASE, SAMPLED, PNG]
    assert {len(one.wrong) for one in found} == {6}
    assert 0 < found[2].encoded_error < 1
    stores = Arms(DRAWN, settings, tmp_path / "replicate-5", 5, plan.votes, plan.error_rate)
    pools = []
    for arm in (SAMPLED, PNG):
        store, version = stores.trained(arm)
        items = load_manifest(open_store(store), version.manifest_id).items
        assert {item.latent_sha256 is None for item in items} == {arm == PNG}
        pools.append({(item.prompt, item.seed, item.role, item.split, item.weight) for item in items})
    assert pools[0] == pools[1]
    assert len(pools[0]) == len(rated_pictures(stores.rated(PNG))) == 16
    assert measure(settings, tmp_path, plan, (SAMPLED, PNG), [5], 1) == found == finished(tmp_path, 5)
