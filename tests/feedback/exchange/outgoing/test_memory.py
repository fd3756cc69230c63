"""The memory of an export does not grow with the pictures."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from store.files import Blobs, sha256_of
from store.layout import layout_of
from store.settings import Settings
from tests.feedback.exchange.conftest import Rated, png

PICTURES, PICTURE_BYTES = 1500, 200_000
MOST_BYTES = 200 << 20
"""All pictures together have 300 MB, and are written three times: as files, as pairs, in a shard."""


def _export_in_little(store: Rated, folder: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    exported = export_folder(store.engine, store.blobs, Wanted(has_shards=True), folder)
    assert (exported.held.pictures, exported.held.pairs) == (PICTURES, PICTURES // 2)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_BYTES, f"{grown / 2**20:.0f} MiB more"


@pytest.mark.slow
def test_an_export_needs_less_memory_than_its_pictures(
    settings: Settings, engine: Engine, fill: Callable, tmp_path: Path, exit_code_of: Callable
):
    blobs = layout_of(settings).blobs

    def put(data: bytes) -> str:
        return sha256_of(data) if data.startswith(b"latent") else put_fast(blobs, png(1) + os.urandom(PICTURE_BYTES))

    images = fill(engine, images=PICTURES, put=put)
    lines = [{"rater": "Ann", "picture": one, "verdict": "reject" if one % 6 < 3 else "keep"} for one in images]
    (tmp_path / "votes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert import_votes(engine, Source(tmp_path / "votes.jsonl"), 1).recorded == PICTURES
    engine.dispose()
    assert exit_code_of(_export_in_little, Rated(engine, blobs, images), tmp_path / "out") == 0


def put_fast(blobs: Blobs, data: bytes) -> str:
    """As `Blobs.put`, without a wait for the disk after each."""
    path = blobs.path(sha256_of(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path.name
