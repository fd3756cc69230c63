"""Where a model's weights are on this machine, their revision on the hub, and the hash that identifies them."""

import re
from pathlib import Path

from diffusers import StableDiffusionXLPipeline
from huggingface_hub import constants
from sqlalchemy import Engine

from feedback.recipe import Recipe
from feedback.versions import PLAIN
from store.engine import reading
from store.errors import ModelError
from store.files import sha256_of, sha256_of_file
from store.settings import Settings
from store.tables import Version

BUILTIN_FOLDER = Path(__file__).parents[1] / "builtin" / "model"
EARLIER_BUILTINS = BUILTIN_FOLDER.with_name("earlier")
"""Built-in models of earlier programs, a folder each: a store goes on with the one it began with."""


def locate(settings: Settings) -> Path:
    """The folder or file of the base's weights on this machine, fetched from the hub first when `model` is a hub id."""
    if settings.is_builtin:
        earlier = EARLIER_BUILTINS / settings.model_revision
        return earlier if settings.model_revision and earlier.is_dir() else BUILTIN_FOLDER
    return find(settings.model, "NAYSAYER_MODEL", settings.model_variant, settings.model_revision)


def find(name: str, setting: str, variant: str = "", revision: str = "") -> Path:
    """A file, a folder, or the cached folder of a hub id, fetched when it is not there yet.

    Raises ModelError naming the setting when it is none of these, or when HF_HUB_OFFLINE is set and it is not cached.
    """
    if (path := Path(name)).exists():
        return path
    try:
        return Path(
            StableDiffusionXLPipeline.download(
                name, use_safetensors=True, variant=variant or None, revision=revision or None
            )
        )
    except (OSError, ValueError) as error:
        asked = f"{name!r} at revision {revision}" if revision else repr(name)
        if constants.HF_HUB_OFFLINE:
            raise ModelError(
                f"{asked} is no file or folder and not in the hub's cache on this machine, and HF_HUB_OFFLINE forbids "
                f"fetching it; run `hf download {name}` where there is a network, or check {setting}"
            ) from error
        raise ModelError(
            f"{asked} is neither a file, a folder, nor a hub id that could be fetched "
            f"({first_line(error)}); check {setting} and the network"
        ) from error


def revision_of(path: Path) -> str:
    """The commit of a folder in the hub's cache; empty for files and folders from elsewhere.

    >>> revision_of(Path("models--a--b/snapshots/0123456789abcdef0123456789abcdef01234567"))
    '0123456789abcdef0123456789abcdef01234567'
    >>> revision_of(Path("checkpoints/my-sdxl"))
    ''
    """
    is_cached = path.parent.name == "snapshots" and re.fullmatch(r"[0-9a-f]{40}", path.name)
    return path.name if is_cached else ""


def pin_revision(engine: Engine, settings: Settings) -> Settings:
    """The settings with the revision that the store began with, unless they name another model or a revision.

    A store so keeps its weights when the branch on the hub moves.
    """
    with reading(engine) as session:
        plain = session.get(Version, PLAIN)
    if plain is None or settings.model_revision or plain.base_model != settings.model:
        return settings
    if settings.is_builtin:
        return settings.model_copy(update={"model_revision": builtin_release(plain, settings)})
    return settings.model_copy(update={"model_revision": Recipe.of(plain).model_revision})


def builtin_release(plain: Version, settings: Settings) -> str:
    """The folder in EARLIER_BUILTINS of the built-in model that a store began with; empty for this program's own."""
    earlier = sorted(EARLIER_BUILTINS.iterdir())
    return next((folder.name for folder in earlier if hash_of(folder, settings) == plain.base_sha256), "")


def hash_of(path: Path, settings: Settings) -> str:
    """SHA-256 over the hashes of the weight files (and of the VAE that replaces the base's own, by name)."""
    files = weight_files(path)
    if len(files) == 1:
        return sha256_of_file(files[0])
    return sha256_of("\n".join([*map(sha256_of_file, files), settings.vae, settings.model_variant]).encode())


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of a model, in a fixed order."""
    return [path] if path.is_file() else sorted(path.glob("**/*.safetensors"))


def first_line(error: Exception) -> str:
    """The first line of an error, at most 200 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
