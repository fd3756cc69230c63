"""`naysayer import lora FILE`: somebody else's negative LoRA becomes a version, to be compared by votes."""

from pathlib import Path
from typing import NamedTuple

import torch
from sqlalchemy import Engine

from feedback.recipe import Recipe
from feedback.versions import PLAIN, begin, next_number, publish
from store.engine import writing
from store.errors import BadLora
from store.files import make_folder, only_one, put_in_place, remove_folder, sha256_of, write_file
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Version
from trainer.base.model import Base, load_base, quiet_libraries
from trainer.base.weights import pinned
from trainer.lora.foreign import Foreign, read_lora
from trainer.lora.tensors import DIFFUSERS_FILE, KOHYA_FILE, attach_file, detach, diffusers_layout, kohya_layout
from trainer.lora.tensors import safetensors_bytes as file_of
from trainer.retrain.publish import Files, header_of, libraries, probe, sweep
from trainer.retrain.retrain import code_commit
from trainer.sample.text import probe_text, text_layers

UNTRIED = 1.0
"""The strength of an import where the settings name none: whoever made the file made it for this one."""


class Imported(NamedTuple):
    """The new version's number, and a sentence for the person at the screen."""

    number: int
    sentence: str


def import_lora(settings: Settings, path: Path, *, negative_prompt: str = "") -> Imported:
    """Registers the file as challenger, drawn with the rule and strength of the settings.

    `negative_prompt` is the trigger word that such a file may want on its null rows. Raises BadLora, leaving no row
    and no file, or Busy while a retrain runs.
    """
    engine, layout = open_store(settings), layout_of(settings)
    with only_one(layout.retrain_lock, "a retrain runs on this store; import again when it has ended"):
        quiet_libraries()
        sweep(engine, layout)
        base = load_base(pinned(engine, settings))
        foreign = read_lora(path, base.pipe.unet, text_layers(base.pipe))
        begin(engine, base.name, base.sha256, base.facts)
        return _publish(engine, layout, base, settings, path, foreign, negative_prompt)


def _publish(
    engine: Engine,
    layout: Layout,
    base: Base,
    settings: Settings,
    path: Path,
    foreign: Foreign,
    negative_prompt: str,
) -> Imported:
    about = {"objective": "imported", "guidance_gain": settings.guidance_gain} | foreign.about
    about["trigger"] = negative_prompt or settings.trigger
    if negative_prompt:
        about["negative_prompt"] = negative_prompt
    files = _files(base, foreign)
    sha256 = sha256_of(files.diffusers)
    final = layout.version_folder(sha256)
    if final.exists():
        raise BadLora(path, f"the very same LoRA is a version already ({sha256[:12]}…)")
    make_folder(layout.versions)
    staging = layout.versions / f".staging-import-{sha256[:16]}"
    staging.mkdir()
    try:
        write_file(staging / DIFFUSERS_FILE, files.diffusers)
        write_file(staging / KOHYA_FILE, files.kohya)
        _check(base, path, staging)
        put_in_place(staging, final)
    except BaseException:
        remove_folder(staging)
        raise
    with writing(engine) as session:
        version = Version(
            number=next_number(session),
            parent=PLAIN,
            sha256=sha256,
            kohya_sha256=sha256_of(files.kohya),
            base_model=base.name,
            base_sha256=base.sha256,
            rule=settings.rule,
            strength=UNTRIED if settings.strength is None else settings.strength,
            settings=about | base.facts,
            libraries=libraries(),
            code_commit=code_commit(),
        )
        publish(session, version, f"imported from {path.name}")
    return Imported(version.number, _sentence(version))


def _files(base: Base, foreign: Foreign) -> Files:
    """The file once more in our two layouts, alpha folded in, so that every version is used in one way."""
    rank = max(foreign.about["imported_ranks"])
    provenance = {"naysayer.base": base.name, "naysayer.base_sha256": base.sha256} | {
        f"naysayer.{key}": str(value) for key, value in foreign.about.items()
    }
    return Files(
        file_of(diffusers_layout(foreign.weights), {"format": "pt"} | provenance),
        file_of(kohya_layout(foreign.weights), header_of(rank, "Imported LoRA") | provenance),
    )


def _check(base: Base, path: Path, folder: Path) -> None:
    """Both files load, give finite numbers and change the base's prediction."""
    plain = probe(base)
    for name in (DIFFUSERS_FILE, KOHYA_FILE):
        attach_file(base.pipe, folder / name, "check")
        base.pipe.unet.enable_adapters()
        found, text = probe(base), probe_text(base.pipe, "check")
        detach(base.pipe, "check")
        if not torch.isfinite(found).all():
            raise BadLora(path, "with it the UNet predicts NaN or infinite values")
        if not torch.isfinite(text).all():
            raise BadLora(path, "with it the text encoders give NaN or infinite values")
        if torch.equal(found, plain):
            raise BadLora(path, "with it the UNet predicts what it predicts without, so there is nothing to compare")


def _sentence(version: Version) -> str:
    recipe = Recipe.of(version)
    left_out = recipe.text_encoder_modules_left_out
    note = f"; {left_out} of its text-encoder modules were left out, the base has none like them" if left_out else ""
    text = ", some of them the text encoders'" if recipe.lora_text_encoders else ""
    return (
        f"{recipe.imported_from} is v{version.number} now, a challenger: {recipe.imported_modules} modules{text}, "
        f"drawn with the rule {recipe.rule} at strength {recipe.strength:g}{note}"
    )
