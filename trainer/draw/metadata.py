"""What a drawn picture's file says of itself: A1111's `parameters`, which many programs read, and all of it as JSON."""

import hashlib
import io
import json
import re
import unicodedata
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from feedback.sample.tries import Redraw, Tries, seed_of_try
from feedback.sample.work import Drawing, Job
from store.files import sha256_of
from store.tables import Version

OWN, A1111 = "naysayer", "parameters"
"""The keys of the two text chunks."""
SLUG = 48
"""Most characters of a prompt in a file's name."""
SAMPLERS = {
    "EulerDiscreteScheduler": "Euler",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "DDIMScheduler": "DDIM",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSDEScheduler": "DPM++ SDE",
    "HeunDiscreteScheduler": "Heun",
    "LMSDiscreteScheduler": "LMS",
    "KDPM2DiscreteScheduler": "DPM2",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "PNDMScheduler": "PLMS",
    "UniPCMultistepScheduler": "UniPC",
}
"""A1111's names of diffusers' schedulers."""


@dataclass(frozen=True)
class Maker:
    """What draws the pictures of one call: a version, its drawing, and when a picture is drawn again.

    `model_hash` is what A1111 calls the model hash, 10 hexadecimal digits.
    """

    version: Version
    drawing: Drawing
    redraw: Redraw | None
    scheduler: str
    model_hash: str

    def facts(self, job: Job) -> dict[str, Any]:
        """All that decides the picture, as its file keeps it."""
        how = asdict(self.drawing) | {"conditions": json.loads(self.drawing.conditions.body)}
        return {
            "prompt": job.prompt,
            "seed": job.seed,
            "version": self.version.number,
            "version_sha256": self.version.sha256,
            "base_model": self.version.base_model,
            "base_sha256": self.version.base_sha256,
            **how,
            **self._redrawing(),
        }

    def _redrawing(self) -> dict[str, Any]:
        if self.redraw is None:
            return {}
        is_always = self.redraw.cut == float("-inf")
        return {"best_of": self.redraw.most} if is_always else {"most_tries": self.redraw.most, "cut": self.redraw.cut}

    def file_name(self, job: Job) -> str:
        """The name of the picture's file: always the same for the same picture, and another for any other."""
        digest = sha256_of(_json(self.facts(job)).encode())[:8]
        return f"{slug(job.prompt)}-{job.seed}-v{self.version.number}-{digest}.png"


def slug(prompt: str) -> str:
    """The prompt as the beginning of a file's name.

    >>> slug("A red fox, in the snow!"), slug("狐")
    ('a-red-fox-in-the-snow', 'picture')
    """
    letters = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", letters)[:SLUG].strip("-") or "picture"


def write_picture(picture: Image.Image, maker: Maker, job: Job, tries: Tries) -> bytes:
    """The picture as PNG with both texts in it."""
    own = maker.facts(job) | {
        "try": tries.kept,
        "scores": tries.scores,
        "seed_of_try": seed_of_try(job.seed, tries.kept),
        "pixels_sha256": _pixels_hash(picture),
        "program": _program(),
    }
    texts, file = PngInfo(), io.BytesIO()
    texts.add_text(A1111, parameters(maker, job, tries))
    texts.add_text(OWN, _json(own))
    picture.save(file, "PNG", pnginfo=texts)
    return file.getvalue()


def is_sound(path: Path, maker: Maker, job: Job) -> bool:
    """Whether the file holds this picture, whole and unchanged."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            picture.verify()  # to its last chunk; afterwards it must be opened again
        with Image.open(path, formats=("PNG",)) as picture:
            own = json.loads(picture.info[OWN])
            wanted = json.loads(_json(maker.facts(job)))
            return bool(own["pixels_sha256"] == _pixels_hash(picture) and own.items() >= wanted.items())
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, AttributeError):
        return False


def parameters(maker: Maker, job: Job, tries: Tries) -> str:
    """The picture's parameters as A1111 writes them: the prompt, the negative prompt, and a line of the rest."""
    drawing, version = maker.drawing, maker.version
    kind, *how = maker.scheduler.split(" ")
    interval = drawing.conditions.guidance_interval
    rest = {
        "Steps": drawing.num_inference_steps,
        "Sampler": SAMPLERS.get(kind, kind),
        **({"Schedule type": "Karras"} if "karras" in how else {}),
        "CFG scale": f"{drawing.guidance_scale:g}",
        "Seed": job.seed,
        "Size": f"{drawing.width}x{drawing.height}",
        "Model hash": maker.model_hash,
        "Model": Path(version.base_model).name.removesuffix(".safetensors"),
        "Naysayer version": f"v{version.number}",
        "Naysayer rule": drawing.rule,
        "Naysayer strength": f"{drawing.strength:g}",
        **({"Naysayer guidance": interval} if interval else {}),
        "Naysayer try": f"{tries.kept} of {max(1, len(tries.scores))}",
        **({} if tries.score is None else {"Naysayer score": f"{tries.score:.4f}"}),
        "Version": _program(),
    }
    negative = [f"Negative prompt: {drawing.negative_prompt}"] if drawing.negative_prompt else []
    return "\n".join([job.prompt, *negative, ", ".join(f"{key}: {_quoted(value)}" for key, value in rest.items())])


def _quoted(value: object) -> str:
    """As A1111 quotes what its own reader would cut."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(',:\n"') else text


def _program() -> str:
    return f"Naysayer {version_of('naysayer')}"


def _pixels_hash(picture: Image.Image) -> str:
    return hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
