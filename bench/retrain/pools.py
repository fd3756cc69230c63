"""Stores of judged pictures for the retrain benches, filled without drawing and without waiting for the disk."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import select

from feedback.pool.tally import rebuild
from feedback.rate.raters import rater_id
from feedback.sample.prompts import add_prompts
from store.engine import writing
from store.files import Blobs, sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import Image, Origin, Prompt, Verdict, Vote
from trainer.base.model import Base, load_base, record_base


class PoolPicture(NamedTuple):
    """PNG, latent file if the sampler drew it, prompt, seed, side in pixels, and what its rater says."""

    png: bytes
    latent: bytes | None
    prompt: str
    seed: int
    side: int
    verdict: Verdict = Verdict.reject


def fill_pool(engine: Engine, settings: Settings, added: Sequence[PoolPicture], base: Base | None = None) -> None:
    """Adds pictures of the plain base, which is loaded unless it is given, each judged by one rater."""
    record_base(engine, base or load_base(settings))
    add_prompts(engine, [picture.prompt for picture in added])
    blobs = layout_of(settings).blobs
    with writing(engine) as session:
        prompts = {prompt.text: _require_id(prompt.id) for prompt in session.exec(select(Prompt))}
        images = [_image(picture, prompts, blobs) for picture in added]
        session.add_all(images)
        session.flush()
        rater = rater_id(session, "bench")
        session.add_all(
            Vote(request_id=image.work_key, rater_id=rater, image_id=_require_id(image.id), verdict=picture.verdict)
            for image, picture in zip(images, added, strict=True)
        )
        session.flush()
        rebuild(session)


def _require_id(id_: int | None) -> int:
    """The id of a stored row."""
    assert id_ is not None
    return id_


def _image(picture: PoolPicture, prompts: dict[str, int], blobs: Blobs) -> Image:
    latent_sha256 = None if picture.latent is None else _put(blobs, picture.latent)
    return Image(
        work_key=sha256_of(f"{picture.prompt}:{picture.seed}".encode()),
        sha256=_put(blobs, picture.png),
        latent_sha256=latent_sha256,
        prompt_id=prompts[picture.prompt],
        seed=picture.seed,
        rule="plain",
        strength=0.0,
        guidance_scale=1.75,
        num_inference_steps=10,
        width=picture.side,
        height=picture.side,
        version=0,
        origin=Origin.sampled,
    )


def _put(blobs: Blobs, data: bytes) -> str:
    sha256 = sha256_of(data)
    path = blobs.path(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return sha256
