"""The stores that are compared: the same pictures with the same votes, sampled in one and imported in the other."""

import io
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo
from sqlmodel import col, select

from bench.loop.stores import Stores
from feedback.exchange.pictures.importing import Import, import_pictures
from feedback.exchange.pictures.outcome import Terms as ImportTerms
from feedback.exchange.pictures.sources import open_source
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.engine import reading
from store.errors import StoreError
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import CurrentVote, Image, Origin, Prompt, Verdict

SAMPLED, AGAIN, PNG, JPEG = "sampled", "sampled-again", "imported-png", "imported-jpeg"
ARMS = (SAMPLED, PNG, AGAIN, JPEG)
"""`sampled-again` trains on the same store as `sampled` with another seed: it shows how far two retrains differ."""
OTHER_SEED = 500
RATER = "simulated rater 1"
USER_COMMENT, EXIF_IFD = 0x9286, 0x8769
JPEG_QUALITY = 80
"""A1111's default."""


class Rated(NamedTuple):
    """A judged picture of a store: its row and what the rater said."""

    image: Image
    prompt: str
    verdict: Verdict


@dataclass(frozen=True)
class Arms(Stores):
    """The stores of one replicate; the kinds are ARMS."""

    def rated(self, kind: str) -> Settings:
        """The rated store that an arm trains on."""
        if kind not in WRITTEN:
            return super().rated(kind)
        sampled, settings = super().rated(SAMPLED), self._settings(f"rated-{kind}", kind)
        return self._built(settings, partial(bring_in, sampled, settings, WRITTEN[kind]))

    def _settings(self, name: str, kind: str) -> Settings:
        settings = super()._settings(name, "nft" if kind in ARMS else kind)
        return settings.model_copy(update={"seed": settings.seed + OTHER_SEED * (kind == AGAIN)})


def rated_pictures(settings: Settings) -> list[Rated]:
    """The store's judged pictures in the order of their rows."""
    with reading(open_store(settings)) as session:
        found = session.exec(
            select(Image, Prompt.text, CurrentVote.verdict)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .join(CurrentVote, col(CurrentVote.image_id) == Image.id)
            .order_by(col(Image.id))
        )
        return [Rated(image, prompt, Verdict(verdict)) for image, prompt, verdict in found]


def bring_in(sampled: Settings, settings: Settings, write: Callable[[Pillow.Image, str], tuple[str, bytes]]) -> None:
    """Writes a store's judged pictures as another program does, imports them into a new store, and votes the same.

    Raises StoreError unless every picture comes in and training takes it.
    """
    from trainer.base.model import load_base, record_base

    rated, blobs = rated_pictures(sampled), layout_of(sampled).blobs
    engine, folder = open_store(settings), settings.data_dir.parent / "pictures"
    record_base(engine, load_base(settings))
    folder.mkdir()
    for one in rated:
        with Pillow.open(io.BytesIO(blobs.get(one.image.sha256))) as picture:
            ending, data = write(picture.convert("RGB"), infotext(one, settings.model))
        (folder / f"{one.image.id:06d}.{ending}").write_bytes(data)
    size = rated[0].image.width, rated[0].image.height
    said: list[str] = []
    order = Import(engine, open_source(folder), ImportTerms(size))
    report = import_pictures(order, layout_of(settings).blobs, said.append)
    if report.new - report.left_out != len(rated):
        raise StoreError(f"of {len(rated)} pictures the import took {report.words}; {'; '.join(said)}")
    _vote_the_same(settings, rated)


def infotext(rated: Rated, model: str) -> str:
    """What A1111 writes beside such a picture."""
    image = rated.image
    negative = [f"Negative prompt: {image.negative_prompt}"] if image.negative_prompt else []
    last = (
        f"Steps: {image.num_inference_steps}, Sampler: Euler, CFG scale: {image.guidance_scale:g}, Seed: {image.seed}, "
        f"Size: {image.width}x{image.height}, Model: {Path(model).name}, Version: v1.10.1"
    )
    return "\n".join([rated.prompt, *negative, last])


def write_png(picture: Pillow.Image, text: str) -> tuple[str, bytes]:
    """The ending and the bytes of a PNG with the text in it."""
    texts, file = PngInfo(), io.BytesIO()
    texts.add_text("parameters", text)
    picture.save(file, "PNG", pnginfo=texts)
    return "png", file.getvalue()


def write_jpeg(picture: Pillow.Image, text: str) -> tuple[str, bytes]:
    """The same as JPEG, with the text in its EXIF comment."""
    exif, file = Pillow.Exif(), io.BytesIO()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + text.encode("utf-16-be")
    picture.save(file, "JPEG", quality=JPEG_QUALITY, exif=exif)
    return "jpg", file.getvalue()


WRITTEN: dict[str, Callable[[Pillow.Image, str], tuple[str, bytes]]] = {PNG: write_png, JPEG: write_jpeg}


def _vote_the_same(settings: Settings, rated: list[Rated]) -> None:
    verdicts = {(one.prompt, one.image.seed): one.verdict for one in rated}
    engine, terms = open_store(settings), Terms.of(settings)
    shown = next_images(engine, RATER, terms, count=len(rated))
    with reading(engine) as session:
        seeds = dict(session.exec(select(Image.id, Image.seed).where(Image.origin == Origin.imported)).all())
    presses = [
        Press(uuid.uuid4().hex, one.image_id, verdicts[one.prompt, seeds[one.image_id]], "simulated") for one in shown
    ]
    refused = [receipt.refused for receipt in record_votes(engine, RATER, presses, terms) if receipt.refused]
    if refused or len(shown) != len(rated):
        raise StoreError(f"{len(shown) - len(refused)} of {len(rated)} votes were taken; {'; '.join(refused[:1])}")
