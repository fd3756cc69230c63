"""A whole fit, and the batches it sees, on a small rated store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.retrain.manifest import FrozenManifest, freeze
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from trainer.base.model import Base, load_base
from trainer.fit.batches import BatchDrawer, Fraction
from trainer.fit.cache import Cache
from trainer.fit.fit import Fitted, Watch, fit
from trainer.fit.training import Training


def fit_here(
    settings: Settings,
    folder: Path,
    watch: Watch | None = None,
    *,
    base: Base | None = None,
) -> Fitted:
    """The fit of the store's pool as it is now, on a fresh base unless one is given."""
    base = base or load_base(settings)
    with frozen(settings, base) as manifest:
        return fit(Training(base, cache_of(settings, base), manifest, settings), folder, watch or Watch())


def drawer(settings: Settings, base: Base, fraction: Fraction = Fraction()):
    """What draws the batches of such a fit."""
    with frozen(settings, base) as manifest:
        return BatchDrawer(Training(base, cache_of(settings, base), manifest, settings), fraction)


def cache_of(settings: Settings, base: Base) -> Cache:
    layout = layout_of(settings)
    return Cache(base, layout.blobs, layout.cache)


@contextmanager
def frozen(settings: Settings, base: Base) -> Iterator[FrozenManifest]:
    engine = open_store(settings)
    try:
        yield freeze(engine, base.sha256)
    finally:
        engine.dispose()
