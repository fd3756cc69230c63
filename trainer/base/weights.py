"""Where a model's weights are on this machine, and their revision on the hub."""

import re
from collections.abc import Callable
from pathlib import Path

from diffusers import StableDiffusionXLPipeline
from huggingface_hub import constants, snapshot_download
from sqlalchemy import Engine

from feedback.recipe import Recipe
from feedback.succession import PLAIN
from store.engine import reading
from store.errors import ModelError
from store.settings import Settings
from store.tables import Version
from trainer.base.identity import Sources, earlier_hashes, network_hash

BUILTIN_FOLDER = Path(__file__).parents[1] / "builtin" / "model"
EARLIER_BUILTINS = BUILTIN_FOLDER.with_name("earlier")
"""Built-in models of earlier programs, a folder each: a store goes on with the one it began with."""


VAE_FILES = ["config.json", "diffusion_pytorch_model*", "vae/config.json", "vae/diffusion_pytorch_model*"]
WEB_ADDRESS = re.compile(
    r"^(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?:models/)?([^/]+/[^/?#]+)(?:/(?:tree|blob|resolve)/([^/?#]+))?"
)
WITH_REVISION = re.compile(r"^([\w.-]+/[\w.-]+)@([\w./-]+)$")


def find_sources(settings: Settings) -> Sources:
    """Where every part in use is read from, fetched from the hub where needed."""
    vae = _find_vae(settings.vae) if settings.vae else None
    refiner = find(settings.refiner, "NAYSAYER_REFINER", settings.model_variant) if settings.refiner else None
    return Sources(locate(settings), settings.model_variant, vae, refiner)


def _find_vae(name: str) -> Path:
    """The folder or file of a VAE; in a model's folder, that of its VAE."""
    path = Path(name)
    if not path.exists():
        path = _fetch(name, "NAYSAYER_VAE", lambda: snapshot_download(name, allow_patterns=VAE_FILES))
    return path / "vae" if not (path / "config.json").exists() and (path / "vae" / "config.json").exists() else path


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
    how = {"use_safetensors": True, "variant": variant or None, "revision": revision or None}
    asked = f"{name!r} at revision {revision}" if revision else repr(name)
    return _fetch(name, setting, lambda: StableDiffusionXLPipeline.download(name, **how), asked)


def _fetch(name: str, setting: str, download: Callable[[], str], asked: str = "") -> Path:
    """The folder of a hub id in the hub's cache. Raises ModelError naming the setting."""
    asked = asked or repr(name)
    _refuse_no_hub_id(name, setting)
    try:
        return Path(download())
    except (OSError, ValueError) as error:
        if constants.HF_HUB_OFFLINE:
            raise ModelError(
                f"{asked} is no file or folder and not in the hub's cache on this machine, and HF_HUB_OFFLINE forbids "
                f"fetching it; run `hf download {name}` where there is a network, or check {setting}"
            ) from error
        raise ModelError(
            f"{asked} is neither a file, a folder, nor a hub id that could be fetched "
            f"({first_line(error)}); check {setting} and the network"
        ) from error


def _refuse_no_hub_id(name: str, setting: str) -> None:
    """Raises ModelError, with the right spelling, for what cannot be a hub id."""
    if found := WEB_ADDRESS.match(name) or WITH_REVISION.match(name):
        repository, revision = found.groups()
        more = f" and NAYSAYER_MODEL_REVISION to {revision}" if revision and setting == "NAYSAYER_MODEL" else ""
        raise ModelError(f"{name!r} is no hub id, which is written owner/name; set {setting} to {repository}{more}")
    if "://" in name:
        raise ModelError(f"{name!r} is a web address; download the file, and set {setting} to its path")
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or name.endswith((".safetensors", "/")):
        raise ModelError(f"there is no file or folder {name!r}; check {setting}")


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
    return next((folder.name for folder in earlier if has_base(plain, Sources(folder), settings)), "")


def has_base(plain: Version, sources: Sources, settings: Settings) -> bool:
    """Whether a store's v0 has these weights, told from the files without loading them."""
    if parts := Recipe.of(plain).base_parts:
        return all(network_hash(sources, name) == parts[name] for name in ("unet", "text_encoder", "text_encoder_2"))
    return plain.base_sha256 in earlier_hashes(sources, settings)


def first_line(error: Exception) -> str:
    """The first line of an error, at most 200 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
