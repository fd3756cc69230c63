"""Which settings fit into a device's memory: the mildest that does, decided from sizes and free bytes alone.

Only settings that were left empty are chosen. None changes what is learnt, except that of a quantised base, which is
chosen only where nothing else fits into the whole memory.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from store.settings import Settings
from trainer.base.free import Memory
from trainer.base.quantization import BYTES_LEFT
from trainer.card.sizes import STATES, Sizes

PASS_COSTS = 3
"""A pass costs as much time as so many latents more: starting its kernels takes a GPU as long as computing some."""
CHECKPOINTING_COSTS = 1.4
"""As measured on an H200; on a CPU 1.3."""


class Fit(NamedTuple):
    """A way to fit: latents a pass, and whether activations are computed again."""

    rows: int
    again: bool


class Draw(NamedTuple):
    """A way to draw: pictures at once, how they are decoded, and whether the text encoders leave in between."""

    pictures: int
    decoding: str
    leave: bool


class Choice(NamedTuple):
    """The settings that decide how much memory is taken, by their names in `Settings`."""

    micro_batch: int
    gradient_checkpointing: bool
    base_quantization: str
    sample_batch: int
    vae_decode: str
    offload_encoders: bool


class Need(NamedTuple):
    """The most bytes that a fit takes, and that drawing does."""

    fit: float
    draw: float

    @property
    def most(self) -> float:
        return max(self.fit, self.draw)


class Chosen(NamedTuple):
    """A choice, the bytes that it needs, and whether so many are free."""

    choice: Choice
    need: Need
    fits: bool


def need_of(choice: Choice, sizes: Sizes) -> Need:
    """The bytes that a fit and drawing take under a choice.

    On a device with its own memory, the text encoders and the VAE are away during a fit, and the text encoders while
    a picture is drawn, if they leave.
    """
    unet = float(sizes.unet)
    if choice.base_quantization != "none":
        unet -= sizes.linear * (1 - BYTES_LEFT[choice.base_quantization] / sizes.linear_each)
    latent = sizes.latent_checkpointed if choice.gradient_checkpointing else sizes.latent
    stays = 0 if sizes.has_own else sizes.encoders + sizes.vae + sizes.refiner
    fit = unet + stays + sizes.lora + choice.micro_batch * latent
    rows = choice.sample_batch * sizes.rows * (sizes.row + sizes.text)
    decoded = sizes.decoded_tiled if choice.vae_decode == "tiled" else sizes.decoded
    decoded *= choice.sample_batch if choice.vae_decode == "whole" else 1
    work = max(rows, decoded)
    leave = choice.offload_encoders and sizes.has_own
    beside = max(sizes.encoder, work) if leave else sizes.encoders + work
    adapter = sizes.lora / STATES
    draw = unet + adapter + sizes.vae + sizes.refiner + beside
    return Need(fit + sizes.uncounted, draw + sizes.uncounted)


def choice_of(settings: Settings) -> Choice:
    """The choice that settings name which leave nothing open, or that the built-in model is used with."""
    return Choice(
        settings.micro_batch or settings.train_batch,
        settings.gradient_checkpointing,
        settings.base_quantization,
        settings.sample_batch,
        settings.vae_decode,
        settings.offload_encoders,
    )


def least(settings: Settings) -> Choice:
    """What takes the least memory of all that the settings leave open; the base is quantised only if they say so.

    >>> least(Settings(sample_batch=4))
    Choice(micro_batch=1, gradient_checkpointing=True, base_quantization='none', sample_batch=4, \
vae_decode='tiled', offload_encoders=True)
    """
    fit, draw = ways_to_fit(settings)[-1], ways_to_draw(settings)[-1]
    return Choice(fit.rows, fit.again, settings.base_quantization, draw.pictures, draw.decoding, draw.leave)


def choose(
    memory: Memory, sizes: Sizes, settings: Settings, quantizers: Sequence[str], kept: Choice | None = None
) -> Chosen:
    """The mildest choice that fits into what is free, both to train and to draw; `kept`, if that one does.

    What others hold may be free later, so the base is quantised only where even the whole memory is too small without;
    until then the smallest choice without is returned. `quantizers` are those that can run here, the mildest first.
    """
    if kept is not None:
        kept = kept._replace(**{name: getattr(settings, name) for name in kept._fields if _is_set(settings, name)})
        if need_of(kept, sizes).most <= memory.free:
            return Chosen(kept, need_of(kept, sizes), True)
    found = [
        _choose(memory.free, sizes, settings, one)
        for one in _open(settings, "base_quantization", ("none", *quantizers))
    ]
    return next((one for one in found if one.need.most <= max(memory.free, memory.whole)), found[-1])


def _choose(free: float, sizes: Sizes, settings: Settings, quantizer: str) -> Chosen:
    fits, draws = ways_to_fit(settings), ways_to_draw(settings)

    def choice(fit: Fit, draw: Draw) -> Choice:
        return Choice(fit.rows, fit.again, quantizer, draw.pictures, draw.decoding, draw.leave)

    fit = next((one for one in fits if need_of(choice(one, draws[-1]), sizes).fit <= free), fits[-1])
    draw = next((one for one in draws if need_of(choice(fit, one), sizes).draw <= free), draws[-1])
    chosen = choice(fit, draw)
    need = need_of(chosen, sizes)
    return Chosen(chosen, need, need.most <= free)


def ways_to_fit(settings: Settings) -> list[Fit]:
    """Latents a pass, and whether with gradient checkpointing: the fastest first.

    >>> [f"{rows}{' again' if again else ''}" for rows, again in ways_to_fit(Settings(train_batch=8))]
    ['8', '4', '8 again', '4 again', '2', '2 again', '1', '1 again']
    """
    batch = settings.train_batch
    rows = _open(settings, "micro_batch", _halved(batch))
    again = _open(settings, "gradient_checkpointing", (False, True))

    def seconds(way: Fit) -> float:
        passes = -(-batch // way.rows)
        return (batch + PASS_COSTS * passes) * (CHECKPOINTING_COSTS if way.again else 1)

    return sorted((Fit(*way) for way in product(rows, again)), key=seconds)


def ways_to_draw(settings: Settings) -> list[Draw]:
    """Pictures at once, how they are decoded, and whether the text encoders leave: the mildest first.

    Tiles come last, because they change a picture a little where they overlap.
    """
    pictures = _open(settings, "sample_batch", _halved(settings.sample_batch))
    decoding = _open(settings, "vae_decode", ("whole", "sliced", "tiled"))
    away = _open(settings, "offload_encoders", (False, True))
    ways = [Draw(count, way, leave) for leave, count, way in product(away, pictures, decoding)]
    return sorted(ways, key=lambda way: way.decoding == "tiled")


def _open(settings: Settings, name: str, choices: Sequence[Any]) -> Sequence[Any]:
    """The choices for a setting that was left empty; else its own value only."""
    return [getattr(settings, name)] if _is_set(settings, name) else choices


def _is_set(settings: Settings, name: str) -> bool:
    return name in settings.model_fields_set and getattr(settings, name) is not None


def _halved(count: int) -> list[int]:
    """
    >>> _halved(12)
    [12, 6, 3, 1]
    """
    return [count, *_halved(count // 2)] if count > 1 else [1]


def fill_in(settings: Settings, choice: Choice) -> Settings:
    """The settings with what was chosen for those that were left empty."""
    left = {name: value for name, value in choice._asdict().items() if not _is_set(settings, name)}
    return settings.model_copy(update=left)
