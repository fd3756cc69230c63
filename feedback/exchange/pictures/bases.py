"""Which base a picture came from, beside the store's own."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.metadata.bases import BASE_NAMES, model_key
from feedback.metadata.found import SDXL, UNKNOWN, Found
from feedback.metadata.values import model_name
from feedback.workers import is_worker_alive
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Image, ModelBase, Origin, Version

OURS = "ours"
SDXL_1_0 = ("stable-diffusion-xl-base-1.0", "sd_xl_base_1.0", "sd_xl_base_1.0_0.9vae")
"""Names of the one model that Stability published as SDXL 1.0."""


def parse_models(words: Iterable[str]) -> dict[str, str]:
    """The bases that `NAME=BASE` and `HASH=BASE` say, by `model_key`. Raises BadRequest.

    >>> parse_models(["45a21ea00a=sdxl", "Juggernaut XL=ours"])
    {'45a21ea00a': 'sdxl', 'juggernaut xl': 'ours'}
    """
    found = {}
    for word in words:
        name, separator, base = word.rpartition("=")
        if not separator or not name.strip() or base.strip().lower() not in (*BASE_NAMES, OURS):
            raise BadRequest(
                f"--model {word[:60]!r} is not NAME=BASE; BASE is {', '.join(BASE_NAMES)}, or ours for this store's own"
            )
        found[model_key(name)] = base.strip().lower()
    return found


def remember(engine: Engine, models: Mapping[str, str]) -> None:
    """Keeps what models are, over what was said before."""
    if models:
        with writing(engine) as session:
            for key, base in models.items():
                session.merge(ModelBase(key=key, base=base))


def known_models(engine: Engine) -> dict[str, str]:
    """What the user said of models so far, and the names of the store's own base."""
    with reading(engine) as session:
        said = {row.key: row.base for row in session.exec(select(ModelBase))}
        plain = session.get(Version, 0)
    name = model_name(PurePath(plain.base_model).name) if plain else ""
    own = (name, *(SDXL_1_0 if name in SDXL_1_0 else ()))
    return {model_key(one): OURS for one in own if one} | said


def drawn_size(engine: Engine) -> tuple[int, int] | None:
    """Width and height of the newest picture that the store drew; None without any."""
    newest = select(Image.width, Image.height).where(Image.origin == Origin.sampled).order_by(col(Image.id).desc())
    with reading(engine) as session:
        return session.exec(newest.limit(1)).first()


NO_BASE = (
    "this store has no base model yet; start `naysayer run`, wait until it draws, which the page Overview shows, then "
    "import"
)
LOADING = "the worker is still loading this store's base model; pictures can come in once it has"
PATIENCE_S, EVERY_S = 1800, 1.0


def has_base(engine: Engine) -> bool:
    """Whether the store has begun with a base model."""
    with reading(engine) as session:
        return session.get(Version, 0) is not None


def why_no_base(engine: Engine) -> str:
    """Why no picture can come in yet, and what to do; empty for a store that has begun with a base model."""
    if has_base(engine):
        return ""
    return LOADING if is_worker_alive(engine) else NO_BASE


def require_base(engine: Engine) -> None:
    """Raises BadRequest for a store that has not begun with a base model yet."""
    if why := why_no_base(engine):
        raise BadRequest(why)


def wait_for_base(engine: Engine, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
    """Waits while a worker loads the base model, and tells `say` so. Raises BadRequest where none does."""
    end, is_said = time.monotonic() + patience_s, False
    while (why := why_no_base(engine)) == LOADING and time.monotonic() < end:
        if not is_said:
            say("waiting for the base model, which the worker is loading; Ctrl-C stops, and nothing has come in")
            is_said = True
        time.sleep(EVERY_S)
    if why:
        raise BadRequest(why)


def for_reader(known: Mapping[str, str]) -> dict[str, str]:
    """The same for the reader, which knows no store: the store's own base is an SDXL."""
    return {key: SDXL if base == OURS else base for key, base in known.items()}


def is_of_other_base(found: Found, known: Mapping[str, str]) -> bool:
    """Whether the picture's base is known and not the store's own, as far as the model's hash or name tells."""
    is_ours = any(known.get(model_key(word)) == OURS for word in (found.model_hash, found.model) if word)
    return found.base != UNKNOWN and not is_ours
