"""The pool that both sides train on."""

import json

from sqlalchemy import Engine

from bench.retrain.train import Plan
from bench.retrain.train_child import HELD_OUT_SEED, POOL_SEED, _drawn, _settings, make_pool
from feedback.pool.pool import pool
from feedback.pool.split import split_of
from store.engine import reading
from store.migrate import open_store
from store.tables import Split
from trainer.base.weights import BUILTIN_FOLDER

PLAN = Plan(images=6, batch=2, micro_batch=1, steps=2, rank=2, rounds=1, held_out=4)


def test_both_sides_get_the_same_pictures_and_prompts(tmp_path) -> None:
    assert make_pool(PLAN, tmp_path) == {"base": str(BUILTIN_FOLDER), "device": "cpu"}
    lines = (tmp_path / "pictures" / "metadata.jsonl").read_text().splitlines()
    captions = {row["file_name"]: row["text"] for row in map(json.loads, lines)}
    made = {f"{picture.seed:06d}.png": picture for picture in _drawn(PLAN, PLAN.images, POOL_SEED)}
    assert captions == {name: picture.prompt for name, picture in made.items()}
    assert all((tmp_path / "pictures" / name).read_bytes() == picture.png for name, picture in made.items())
    engine: Engine = open_store(_settings(PLAN, tmp_path))
    with reading(engine) as session:
        assert len(pool(session)) == PLAN.images
    engine.dispose()


def test_every_picture_falls_into_the_training_split() -> None:
    made = _drawn(PLAN, 20, POOL_SEED)
    assert len(made) == 20
    assert {split_of(picture.prompt, picture.seed) for picture in made} == {Split.train}


def test_the_held_out_pictures_are_others() -> None:
    trained, held_out = ({p.png for p in _drawn(PLAN, 10, seed)} for seed in (POOL_SEED, HELD_OUT_SEED))
    assert not trained & held_out
