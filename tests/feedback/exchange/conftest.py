"""A store with real small pictures, rated by three people."""

import io
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import pytest
from PIL import Image as Picture
from sqlalchemy import Engine

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Point, Press, record_votes
from store.files import Blobs, sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import Reason, Verdict
from tests.feedback.rating import NOON

REJECT, KEEP = Verdict.reject, Verdict.keep
REQUEST = count()
HANDS = (frozenset({Reason.hands, Reason.other}), (Point(0.25, 0.5),))


class Rated(NamedTuple):
    """A store, its files and the rows of its pictures."""

    engine: Engine
    blobs: Blobs
    images: list[int]


def png(number: int, side: int = 8) -> bytes:
    """A small picture that no other number gives."""
    file = io.BytesIO()
    Picture.new("RGB", (side, side), (number % 256, number // 256 % 256, 77)).save(file, "PNG")
    return file.getvalue()


def press(engine: Engine, rater: str, verdicts: dict[int, Verdict], **noted: object) -> None:
    next_images(engine, rater, Terms(9, 600), count=500)
    presses = [
        Press(f"press {next(REQUEST)}", image, verdict, "one", NOON, NOON, **noted)
        for image, verdict in verdicts.items()
    ]
    receipts = record_votes(engine, rater, presses, Terms(9, 600), now=lambda: NOON)
    assert not any(receipt.refused for receipt in receipts)


@pytest.fixture
def filled(settings: Settings, engine: Engine, fill: Callable) -> Rated:
    """Twelve pictures of three prompts, unrated."""
    return fill_pictures(settings, engine, fill)


def fill_pictures(settings: Settings, engine: Engine, fill: Callable, images: int = 12) -> Rated:
    """The same pictures in any store."""
    blobs, number = layout_of(settings).blobs, count()

    def put(data: bytes) -> str:
        return sha256_of(data) if data.startswith(b"latent") else blobs.put(png(next(number)))

    return Rated(engine, blobs, fill(engine, images=images, put=put))


@pytest.fixture
def rated(filled: Rated) -> Rated:
    """Ann rejects the first four for their hands and keeps four; Bob keeps the first and the last of these; Cy is
    undone, skips, and is nobody else's business."""
    engine, _, images = filled
    press(engine, "Ann Anders", dict.fromkeys(images[:4], REJECT), reasons=HANDS[0], marks=HANDS[1])
    press(engine, "Ann Anders", dict.fromkeys(images[4:8], KEEP))
    press(engine, "Bob", {images[0]: KEEP, images[7]: KEEP, images[5]: KEEP, images[1]: REJECT})
    press(engine, "Cy", {images[2]: KEEP, images[3]: Verdict.skip})
    press(engine, "Cy", {images[2]: Verdict.undo})
    return filled
