"""Does what is chosen for a small card fit there, and does what does not fit end well?

A large card answers for a small one: torch gets only as much of its memory as the small one has.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bench.card.computed import CARDS_GB, GB
from bench.card.parts.checks import Finding
from bench.card.parts.meter import Meter, gigabytes
from bench.card.parts.subject import PROMPTS, Subject
from feedback.recipe import Recipe
from feedback.sample.work import Job
from store.errors import OutOfMemory
from store.phrases import plural
from store.settings import Settings
from trainer.base.free import Memory
from trainer.base.model import Base, visit
from trainer.base.pipeline import set_decoding
from trainer.base.vae import decode_latents
from trainer.card.choosing import Choice, Chosen, choose
from trainer.lora.tensors import TRAINED
from trainer.sample.guidance import Steering
from trainer.sample.sampler import sample_latents, steer_drawing

MOST_SMALL_GB = 24
STEPS, PASSES = 2, 2
"""The second step is the first that has AdamW's moments beside the activations."""
RULE, STRENGTH = "same-prompt", 4.0
"""The rule with the most rows."""
TOO_MANY, TOO_MANY_ON_GB = 16, 12
"""With gradient checkpointing so many latents a pass do not fit on so many gigabytes, but four do; without it, not one
does."""

Tell = Callable[[str], None]


def smaller_cards(free: int) -> list[int]:
    """The small cards, in GB, that a card with so many bytes free can answer for.

    >>> smaller_cards(20 * GB)
    [8, 12, 16]
    """
    return [card for card in CARDS_GB if card <= MOST_SMALL_GB and card * GB <= free]


def fits_on(subject: Subject, card: int, tell: Tell, meter: Meter | None = None) -> Iterator[Finding]:
    """Two steps of a fit, and a batch of pictures drawn and decoded, as a card of so many GB chooses them."""
    meter, most = meter or Meter(subject.device), card * GB
    chosen = choose(Memory(most, most), subject.sizes, Settings(_env_file=None), ())
    with subject.taken_off():
        tell(f"a fit on {card} GB")
        with meter.capped(most):
            words = _fit(subject, chosen.choice)
            yield within(f"a fit on {card} GB", meter, most, chosen.need.fit, words)
        tell(f"drawing on {card} GB")
        with meter.capped(most), chosen_to_draw(subject.base, chosen) as base:
            words = draw(base, subject, chosen.choice.sample_batch)
            how = f"{words}, decoded {chosen.choice.vae_decode}"
            yield within(f"drawing on {card} GB", meter, most, chosen.need.draw, how)


def within(name: str, meter: Meter, most: int, computed: float, words: str) -> Finding:
    """Whether the work stayed within the cap without running out of memory on the way."""
    times = f", ran out of memory {plural(meter.ooms, 'time')}" if meter.ooms else ""
    took = f"took {gigabytes(meter.peak)} of {gigabytes(most)}, {gigabytes(computed)} were computed"
    return Finding(name, not meter.ooms and meter.peak <= most, f"{words}: {took}{times}")


def _fit(subject: Subject, choice: Choice) -> str:
    rows, again = choice.micro_batch, choice.gradient_checkpointing
    subject.fit(
        subject.full_px,
        train_steps=STEPS,
        train_batch=max(2, PASSES * rows),
        micro_batch=rows,
        gradient_checkpointing=again,
    )
    return f"{plural(rows, 'latent')} a pass{' with gradient checkpointing' if again else ''}"


@contextmanager
def chosen_to_draw(base: Base, chosen: Chosen) -> Iterator[Base]:
    """Inside it the base draws as it was chosen: how it decodes, and where its text encoders are in between."""
    pipe, choice = base.pipe, chosen.choice
    encoders = (pipe.text_encoder, pipe.text_encoder_2) if choice.offload_encoders else ()
    handles = []
    for encoder in encoders:
        encoder.to("cpu")
        handles += visit(encoder, base.device)
    set_decoding(pipe.vae, choice.vae_decode)
    used = {"vae_decode": choice.vae_decode, "offload_encoders": choice.offload_encoders}
    try:
        yield replace(base, settings=base.settings.model_copy(update=used))
    finally:
        pipe.vae.disable_slicing()
        pipe.vae.disable_tiling()
        for handle in handles:
            handle.remove()
        for encoder in encoders:
            encoder.to(base.device)


def draw(base: Base, subject: Subject, pictures: int, rule: str = RULE, steps: int = STEPS) -> str:
    """Draws and decodes that many pictures at once with the adapter that is on; what it did, in words."""
    strength = 0.0 if rule == "plain" else STRENGTH
    plain = replace(base.plain, num_inference_steps=steps, width=subject.full_px, height=subject.full_px)
    drawing = steer_drawing(plain, Recipe(rule, strength))
    jobs = [Job(PROMPTS[seed % len(PROMPTS)], seed) for seed in range(pictures)]
    base.pipe.unet.disable_adapters()  # the rule decides which rows meet the adapter
    steering = Steering(base.pipe.unet, TRAINED, drawing.rule, drawing.strength)
    decode_latents(base, sample_latents(base, jobs, drawing, steering), may_be_black=True)
    return f"{plural(pictures, 'picture')} at once"


def ends_well(subject: Subject, tell: Tell, meter: Meter | None = None) -> Iterator[Finding]:
    """A pass that does not fit is halved until it does; where not even one latent fits, a sentence says what to do."""
    meter, side_px = meter or Meter(subject.device), subject.full_px
    most = min(meter.whole, TOO_MANY_ON_GB * GB)
    tell("a pass that does not fit")
    with subject.taken_off(), meter.capped(most):
        many: dict[str, Any] = {"micro_batch": TOO_MANY, "train_batch": TOO_MANY, "gradient_checkpointing": True}
        curve = subject.fit(side_px, train_steps=1, **many).curve
        times = plural(meter.ooms, "time")
        words = f"{TOO_MANY} latents a pass ran out of {gigabytes(most)} {times}, then the step was taken"
        yield Finding("a pass that does not fit is halved", meter.ooms > 0 and len(curve) == 1, words)
    tell("a fit that cannot fit")
    sentence = ""
    with subject.taken_off(), meter.capped(most):
        try:
            subject.fit(side_px, train_steps=1, micro_batch=1, train_batch=2, gradient_checkpointing=False)
        except OutOfMemory as error:
            sentence = str(error)
    yield Finding("a fit that cannot fit ends with advice", bool(sentence), sentence or "it was taken to the end")
