"""A filled pool is what a retrain would freeze."""

from sqlalchemy import Engine
from sqlmodel import select

from bench.retrain.pools import PoolPicture, fill_pool
from feedback.pool.pool import pool
from store.engine import reading
from store.layout import layout_of
from store.settings import Settings
from store.tables import Image


def test_every_added_picture_is_a_reject_of_the_pool_with_its_files(engine: Engine, settings: Settings) -> None:
    fill_pool(
        engine, settings, [PoolPicture(b"one", b"latent", "a star", 1, 64), PoolPicture(b"two", None, "a cat", 2, 64)]
    )
    with reading(engine) as session:
        assert len(pool(session)) == 2
        sampled, imported = session.exec(select(Image).order_by(Image.seed)).all()  # type: ignore[arg-type]
    blobs = layout_of(settings).blobs
    assert blobs.get(sampled.sha256) == b"one"
    assert sampled.latent_sha256 and blobs.get(sampled.latent_sha256) == b"latent"
    assert imported.latent_sha256 is None


def test_a_pool_can_be_filled_again(engine: Engine, settings: Settings) -> None:
    for seed in (1, 2):
        fill_pool(engine, settings, [PoolPicture(b"picture %d" % seed, None, "a star", seed, 64)])
    with reading(engine) as session:
        assert len(pool(session)) == 2
