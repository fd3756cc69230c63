"""What retrains left in a store, and how far a running one is."""

from sqlmodel import select

from feedback.retrain.progress import progress_of
from feedback.retrain.stages import FIT
from feedback.versions import champion
from store.engine import reading
from store.files import sha256_of_file
from store.layout import layout_of
from store.migrate import check_integrity, open_store
from store.safety.identity import MARK
from store.settings import Settings
from store.tables import Alias, ManifestItem, Run, Version
from tests.waiting import until
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE


def published(settings: Settings) -> list[Version]:
    """Every version but v0, after checking what must hold for each of them and for the champion."""
    engine, layout = open_store(settings), layout_of(settings)
    assert check_integrity(engine) == []
    with reading(engine) as session:
        versions = list(session.exec(select(Version).where(Version.number > 0)))
        items = list(session.exec(select(ManifestItem.manifest_id)))
        known = set(session.exec(select(Version.number)))
        assert {alias.version for alias in session.exec(select(Alias))} <= known
    assert champion(engine).number in known
    for version in versions:
        folder = layout.version_folder(version.sha256)
        assert sha256_of_file(folder / DIFFUSERS_FILE) == version.sha256
        assert sha256_of_file(folder / KOHYA_FILE) == version.kohya_sha256
        assert version.manifest_id in items
    engine.dispose()
    return versions


def last_run(settings: Settings) -> Run:
    engine = open_store(settings)
    with reading(engine) as session:
        run = session.exec(select(Run).order_by(Run.id.desc())).first()
    engine.dispose()
    assert run is not None
    return run


def folders(settings: Settings) -> set[str]:
    versions = layout_of(settings).versions
    return {path.name for path in versions.iterdir()} - {MARK} if versions.exists() else set()


def wait_for_step(settings: Settings, step: int) -> None:
    """Until the running retrain reports that step."""
    engine = open_store(settings)

    def is_there() -> bool:
        with reading(engine) as session:
            found = session.exec(select(Run).order_by(Run.id.desc())).first()
        stages = progress_of(engine, found.id).stages if found else []
        return sum(stage.done for stage in stages if stage.kind == FIT) >= step

    until(is_there, f"step {step} of a retrain")
    engine.dispose()


def get_run_count(settings: Settings) -> int:
    engine = open_store(settings)
    with reading(engine) as session:
        count = len(list(session.exec(select(Run.id))))
    engine.dispose()
    return count
