"""What a replicate has drawn, so that rows which share drawings draw them once."""

from collections.abc import Sequence
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.loop.worlds import Judge
from feedback.sample.work import Drawing, Job

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 24


class Shot(NamedTuple):
    """A drawing: its latent (C, H, W), what the judge finds wrong with it, and the CPU seconds it took."""

    latent_CHW: "Tensor"
    faults: tuple[str, ...]
    seconds: float


class Album:
    """Draws with the base and the LoRA that is attached to it; `judge` is the world's."""

    def __init__(self, base: Any, judge: Judge) -> None:
        self.base, self.judge = base, judge
        self.known: dict[tuple[str, Drawing, Job], Shot] = {}

    def shots(self, lora: str, drawing: Drawing, jobs: Sequence[Job]) -> list[Shot]:
        """One drawing for every job. `lora` names the weights that are attached; it is empty where none steer."""
        missing = [job for job in dict.fromkeys(jobs) if (lora, drawing, job) not in self.known]
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            self.known |= {
                (lora, drawing, job): shot for job, shot in zip(part, self._draw(drawing, part), strict=True)
            }
        return [self.known[lora, drawing, job] for job in jobs]

    def _draw(self, drawing: Drawing, jobs: Sequence[Job]) -> list[Shot]:
        from trainer.base.vae import decode_latents
        from trainer.lora.tensors import TRAINED
        from trainer.sample.sampler import sample_latents

        began = process_time()
        latents_BCHW = sample_latents(self.base, jobs, drawing, TRAINED)
        seconds = (process_time() - began) / len(jobs)
        pictures = decode_latents(self.base, latents_BCHW)
        return [
            Shot(latent_CHW.float().clone(), self.judge(picture, job.prompt), seconds)
            for latent_CHW, picture, job in zip(latents_BCHW, pictures, jobs, strict=True)
        ]
