"""A small store of judged pairs of pictures, and its export.

The pictures are drawn, not sampled: two of each prompt, one of them of another scene and wrong.
"""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

PAIRS, SIDE = 8, 64


class Filled(NamedTuple):
    """The store, and the exported folder."""

    engine: Engine
    folder: Path


def fill_and_export(place: Path) -> Filled:
    """A store in `place/data` with PAIRS keeps and as many rejects of one rater, and its export in `place/out`."""
    from PIL import Image

    from bench.retrain.pools import PoolPicture, fill_pool
    from feedback.exchange.outgoing.chosen import Wanted
    from feedback.exchange.outgoing.folder import export_folder
    from store.layout import layout_of
    from store.migrate import open_store
    from store.settings import Settings
    from store.tables import Verdict
    from trainer.sample.sampler import png_of
    from trainer.world.pictures import pictures

    settings = Settings(_env_file=None, data_dir=place / "data")
    right, wrong = pictures(PAIRS, 0.0, 1), pictures(PAIRS, 1.0, 2)
    engine = open_store(settings)
    sides = [(right, Verdict.keep, 0), (wrong, Verdict.reject, PAIRS)]
    fill_pool(engine, settings, [
        PoolPicture(png_of(Image.fromarray(made.pixels[k])), None, right.prompts[k], first + k, SIDE, verdict)
        for made, verdict, first in sides
        for k in range(PAIRS)
    ])  # fmt: skip
    exported = export_folder(engine, layout_of(settings).blobs, Wanted(has_names=True), place / "out")
    return Filled(engine, exported.folder)
