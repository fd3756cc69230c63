"""Before a store of an earlier schema is moved: can this program go on with the base the store began with?"""

from pathlib import Path

from feedback.succession import PLAIN
from feedback.versions import describe_base
from store.errors import OtherBase
from store.migrate import Begun
from store.settings import Settings
from store.tables import Version
from trainer.base.identity import Sources
from trainer.base.weights import builtin_release, has_base, locate


def refuse_other_base(settings: Settings, begun: Begun) -> None:
    """Raises OtherBase when the settings name another base than the store began with.

    A model on the hub is known by its name only, because its weights may not be on this machine; so is every model with
    a refiner. The base is compared in full whenever it is loaded.
    """
    plain = Version(number=PLAIN, base_model=begun.base_model, base_sha256=begun.base_sha256, settings=begun.facts)
    is_here = settings.is_builtin or Path(settings.model).exists()
    if not is_here or settings.refiner or "refiner" in begun.facts:
        is_same = settings.model == begun.base_model
    else:
        release = builtin_release(plain, settings) if settings.is_builtin else settings.model_revision
        path = locate(settings.model_copy(update={"model_revision": release}))
        is_same = has_base(plain, Sources(path, settings.model_variant), settings)
    if not is_same:
        difference = "their weights differ" if is_here else "the names differ"
        raise OtherBase(describe_base(plain), settings.model, difference)
