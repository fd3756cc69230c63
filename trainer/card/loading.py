"""The base, loaded under settings that fit into the memory of its device."""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from sqlalchemy import Engine

from feedback.recipe import Recipe
from feedback.succession import PLAIN
from store.engine import reading
from store.files import make_folder, write_file
from store.layout import Layout
from store.phrases import plural
from store.settings import Settings
from store.tables import Version
from trainer.base.free import Memory
from trainer.base.pipeline import LOAD_ERRORS
from trainer.base.quantization import PACKAGES
from trainer.base.weights import find_sources, pin_revision
from trainer.card.choosing import Choice, Chosen, choose, fill_in
from trainer.card.sizes import sizes_of
from trainer.card.turn import left_beside, place_of

log = logging.getLogger("naysayer.card")
CHOICE_FILE = "choice.json"


class Card(NamedTuple):
    """What was chosen for a device, and its memory."""

    chosen: Chosen
    memory: Memory
    name: str = "card"

    @property
    def sentence(self) -> str:
        """What this card does, for people.

        >>> from trainer.card.choosing import Need
        >>> chosen = Chosen(Choice(4, True, "none", 8, "sliced", False), Need(10.4e9, 11.8e9), True)
        >>> for part in Card(chosen, Memory(12 * 10**9, 16 * 10**9)).sentence.split("; "):
        ...     print(part)
        this card: 12.0 GB free of 16.0 GB
        it trains 4 latents a pass with gradient checkpointing (10.4 GB computed)
        it draws 8 pictures at once, decoded one by one (11.8 GB)
        """
        choice, need = self.chosen.choice, self.chosen.need
        again = " with gradient checkpointing" if choice.gradient_checkpointing else ""
        trains = f"it trains {plural(choice.micro_batch, 'latent')} a pass{again} ({need.fit / 1e9:.1f} GB computed)"
        how = {"whole": "", "sliced": ", decoded one by one", "tiled": ", decoded in tiles"}[choice.vae_decode]
        away = ", without the text encoders beside them" if choice.offload_encoders else ""
        draws = f"it draws {plural(choice.sample_batch, 'picture')} at once{how}{away} ({need.draw / 1e9:.1f} GB)"
        free = f"this {self.name}: {self.memory.free / 1e9:.1f} GB free of {self.memory.whole / 1e9:.1f} GB"
        return f"{free}; {trains}; {draws}{self._warning()}"

    def _warning(self) -> str:
        if not self.chosen.fits:
            return (
                "; less than that is free, so it may run out of memory: lower NAYSAYER_WIDTH_PX or NAYSAYER_LORA_RANK"
            )
        kind = self.chosen.choice.base_quantization
        return "" if kind == "none" else f"; its base is quantised to {kind}, which changes what is learnt a little"


def settle(
    engine: Engine, layout: Layout, settings: Settings, say: Callable[[str], None] = log.info, *, resumes: bool = False
) -> Settings:
    """The settings to load the base under: with the revision it began with, and what was left empty chosen for its
    device. `resumes` takes what the interrupted retrain took, where that fits.
    """
    settings = pin_revision(engine, settings)
    if settings.is_builtin:  # it fits anywhere, and what it publishes must not depend on the machine
        return settings
    kept = _read_choice(layout) if resumes else None
    card = examine_card(engine, settings, kept=kept)
    if card is None:
        return settings
    say(card.sentence)
    return fill_in(settings, card.chosen.choice)


def examine_card(
    engine: Engine, settings: Settings, folder: Path | None = None, kept: Choice | None = None
) -> Card | None:
    """What fits on the device of the settings, beside the models of others that is; None for a base that cannot be
    read, as loading it will explain. What is counted for it is kept in `folder`; None: this user's.
    """
    place = place_of(settings)
    device, memory = place.device, left_beside(place)
    with suppress(*LOAD_ERRORS):
        sizes = sizes_of(find_sources(settings), settings, device, folder)
        began = fill_as_begun(engine, settings)
        chosen = choose(memory, sizes, began, quantizers_of(device), kept)
        if not chosen.fits and began is not settings:
            chosen = choose(memory, sizes, settings, quantizers_of(device), kept)
        return Card(chosen, memory, "machine" if device.type == "cpu" else "card")
    return None


def fill_as_begun(engine: Engine, settings: Settings) -> Settings:
    """The settings, drawing as the store began to where they say nothing: its pictures then stay comparable."""
    with reading(engine) as session:
        plain = session.get(Version, PLAIN)
    if plain is None:
        return settings
    recipe = Recipe.of(plain)
    began = {"base_quantization": recipe.base_quantization, "vae_decode": recipe.vae_decode}
    left = {name: way for name, way in began.items() if way and name not in settings.model_fields_set}
    return settings.model_copy(update=left) if left else settings


def quantizers_of(device: torch.device) -> list[str]:
    """The quantisers that are installed and run on the device, the mildest first."""
    kinds = {"cuda": ("fp8", "nf4"), "cpu": ("fp8",)}.get(device.type, ())
    return [kind for kind in kinds if find_spec(PACKAGES[kind]) is not None]


def keep_choice(layout: Layout, settings: Settings) -> None:
    """Writes down what a retrain begins with, for one that resumes it."""
    if settings.is_builtin:
        return
    make_folder(layout.checkpoints)
    used = {name: getattr(settings, name) for name in Choice._fields}
    data = json.dumps(used).encode()
    write_file(layout.checkpoints / CHOICE_FILE, data)
    if layout.bucket is not None:
        layout.bucket.write(f"{layout.checkpoints.name}/{CHOICE_FILE}", data)


def _read_choice(layout: Layout) -> Choice | None:
    with suppress(OSError, ValueError, TypeError):
        name = f"{layout.checkpoints.name}/{CHOICE_FILE}"
        data = layout.bucket.read(name) if layout.bucket else (layout.root / name).read_bytes()
        return Choice(**json.loads(data))
    return None
