"""`naysayer import lora FILE`: somebody else's negative LoRA becomes a version, to be compared by votes."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from sqlalchemy import Engine
from sqlmodel import select

from feedback.recipe import Recipe
from feedback.succession import PLAIN
from store.engine import RETRAIN_LOCK, reading
from store.errors import BadLora
from store.existing import open_existing
from store.files import sha256_of
from store.layout import Layout, layout_of
from store.locks import holding
from store.settings import Settings
from store.tables import Version
from trainer.base.model import Base, record_base, silence_libraries
from trainer.base.weights import pin_revision
from trainer.card.loading import settle
from trainer.card.turn import loaded_in_turn
from trainer.lora.foreign import Foreign, read_lora
from trainer.lora.formats import (
    DIFFUSERS_FILE,
    KOHYA_FILE,
    diffusers_layout,
    from_diffusers_layout,
    kohya_layout,
    lora_hash,
    safetensors_bytes,
)
from trainer.lora.text_encoders import text_layers
from trainer.retrain.provenance import kohya_header
from trainer.retrain.publish import Candidate, is_published, publish_candidate, remove_leftovers
from trainer.retrain.reloading import check_imported

UNTRIED = 1.0
"""The strength of an imported file, unless the settings name one: files are made for this strength."""


class Imported(NamedTuple):
    """The new version's number, and a sentence for people."""

    number: int
    sentence: str


def import_lora(settings: Settings, path: Path, *, negative_prompt: str = "") -> Imported:
    """Registers the file as challenger, drawn with the rule and strength of the settings.

    `negative_prompt` is the trigger word that the file may need in the negative prompt. Raises BadLora, leaving no row
    and no file, BadRequest without a store, or Busy while a retrain runs.
    """
    engine, layout = open_existing(settings), layout_of(settings)
    with holding(engine, RETRAIN_LOCK, "a retrain runs on this store; import again when it has ended"):
        silence_libraries()
        remove_leftovers(engine, layout)
        own = partial(settle, engine, layout, settings)
        with loaded_in_turn(pin_revision(engine, settings), "an import of a LoRA", own) as base:
            foreign = read_lora(path, base.pipe.unet, text_layers(base.pipe))
            record_base(engine, base)
            candidate = _candidate(base, settings, path, foreign, negative_prompt)
            _require_new(engine, layout, candidate, foreign, path)
            check = partial(check_imported, base, path)
            version = publish_candidate(engine, layout, candidate, check)
        return Imported(version.number, _sentence(version))


def _require_new(engine: Engine, layout: Layout, candidate: Candidate, foreign: Foreign, path: Path) -> None:
    """Raises BadLora when a version has the very same tensors, whatever its file was called."""
    if is_published(engine, sha256_of(candidate.files[DIFFUSERS_FILE])):
        raise BadLora(path, "the very same LoRA is a version already")
    wanted = lora_hash(foreign.weights)
    with reading(engine) as session:
        versions = list(session.exec(select(Version).where(Version.number != PLAIN)))
    for version in versions:
        assert version.sha256 is not None
        file = layout.fetch_version(version.sha256) / DIFFUSERS_FILE
        if file.is_file() and _hash_of_file(file) == wanted:
            raise BadLora(path, f"the very same LoRA is v{version.number} already")


def _hash_of_file(file: Path) -> str:
    """The hash of a published LoRA; empty for a damaged file."""
    try:
        return lora_hash(from_diffusers_layout(load_file(file)))
    except (SafetensorError, OSError, ValueError):
        return ""


def _candidate(base: Base, settings: Settings, path: Path, foreign: Foreign, negative_prompt: str) -> Candidate:
    about = {"objective": "imported", "guidance_gain": settings.guidance_gain} | foreign.about
    about["trigger"] = negative_prompt or settings.trigger
    if negative_prompt:
        about["negative_prompt"] = negative_prompt
    version = Version(
        number=0,
        parent=PLAIN,
        base_model=base.name,
        base_sha256=base.sha256,
        rule=settings.rule,
        strength=UNTRIED if settings.strength is None else settings.strength,
        settings=about | base.facts | base.sampling,
    )
    return Candidate(_render_files(base, foreign), version, f"imported from {path.name}")


def _render_files(base: Base, foreign: Foreign) -> dict[str, bytes]:
    """The LoRA in our two layouts with alpha folded in, so that every version is used in the same way."""
    rank = max(foreign.about["imported_ranks"])
    provenance = {"naysayer.base": base.name, "naysayer.base_sha256": base.sha256} | {
        f"naysayer.{key}": str(value) for key, value in foreign.about.items()
    }
    return {
        DIFFUSERS_FILE: safetensors_bytes(diffusers_layout(foreign.weights), {"format": "pt"} | provenance),
        KOHYA_FILE: safetensors_bytes(kohya_layout(foreign.weights), kohya_header(rank, "Imported LoRA") | provenance),
    }


def _sentence(version: Version) -> str:
    recipe = Recipe.of(version)
    left_out = recipe.text_encoder_modules_left_out
    note = (
        f"; {left_out} of its text-encoder modules were left out, because the base has no such modules"
        if left_out
        else ""
    )
    if others := recipe.other_keys_left_out:
        keys = "key that belongs" if others == 1 else "keys that belong"
        note += f"; {others} {keys} to no module (a bundled embedding, perhaps) left out"
    what = f"{recipe.imported_modules} modules" + (
        ", some of them the text encoders'" if recipe.lora_text_encoders else ""
    )
    names = f" with {recipe.imported_names} names" if recipe.imported_names else ""
    return (
        f"{recipe.imported_from} is v{version.number} now, a challenger: {what}{names}, "
        f"drawn with the rule {recipe.rule} at strength {recipe.strength:g}{note}"
    )
