import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open
from sqlalchemy import Engine, event, update
from sqlmodel import select

from feedback.check.looks import select_waiting
from feedback.pool.pool import pool
from feedback.retrain.manifest import FrozenManifest
from feedback.versions import begin, get_version
from store.engine import reading, writing
from store.errors import BadExport, RetrainError
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import open_store
from store.safety.identity import MARK
from store.settings import Settings
from store.tables import Action, AliasEvent, Image, Manifest, Role, Run, RunStatus, Version, utc_now
from tests.feedback.doubts import ON
from tests.feedback.rating import KEEP, REJECT, rate
from tests.trainer.conftest import quick_settings
from trainer.fit.fit import Fitted
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE
from trainer.lora.tensors import add_fresh, trained_tensors, weights_of
from trainer.retrain.check import MadeCheck, Scored
from trainer.retrain.provenance import code_commit, libraries, recorded_settings
from trainer.retrain.publish import Candidate, Made, publish_candidate, publish_version, remove_leftovers
from trainer.retrain.strength import Choice

BASE = "0" * 64


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return quick_settings(tmp_path / "data")


@pytest.fixture
def engine(settings: Settings):
    engine = open_store(settings)
    begin(engine, "builtin", BASE)
    yield engine
    engine.dispose()


def candidate(content: bytes = b"weights", parent: int | None = None) -> Candidate:
    row = Version(number=0, parent=parent, base_model="builtin", base_sha256=BASE, rule="same-prompt", strength=1.0)
    return Candidate({DIFFUSERS_FILE: content, KOHYA_FILE: b"kohya"}, row, "for the test")


def accept(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted([DIFFUSERS_FILE, KOHYA_FILE])


def test_files_are_checked_in_a_staging_folder_and_then_named_by_their_hash(engine: Engine, settings):
    version = publish_candidate(engine, layout_of(settings), candidate(), accept)
    folder = layout_of(settings).version_folder(version.sha256)
    assert (folder / DIFFUSERS_FILE).read_bytes() == b"weights"
    assert names(layout_of(settings).versions) == {version.sha256}


def test_a_row_without_a_parent_comes_after_the_version_before_and_a_given_parent_stays(engine: Engine, settings):
    layout = layout_of(settings)
    numbers = [
        publish_candidate(engine, layout, one, accept).number
        for one in (candidate(b"1"), candidate(b"2"), candidate(b"3", parent=0))
    ]
    assert numbers == [1, 2, 3]
    assert [get_version(engine, number).parent for number in numbers] == [0, 1, 0]


def test_a_failed_check_leaves_neither_folder_nor_row(engine: Engine, settings):
    def refuse(folder: Path) -> None:
        raise BadExport("no good")

    with pytest.raises(BadExport):
        publish_candidate(engine, layout_of(settings), candidate(), refuse)
    assert names(layout_of(settings).versions) == set()
    assert publish_candidate(engine, layout_of(settings), candidate(), accept).number == 1


def test_only_staging_folders_of_our_own_are_removed_and_a_lora_without_a_row_is_named(
    engine: Engine, settings, caplog
):
    layout = layout_of(settings)
    version = publish_candidate(engine, layout, candidate(), accept)
    left = layout.versions / ".staging-0123456789abcdef"
    half = layout.versions / ".staging-fedcba9876543210"
    for folder in (left, half):
        folder.mkdir()
        (folder / DIFFUSERS_FILE).write_bytes(b"half")
        (folder / f".{KOHYA_FILE}.12-34.tmp").write_bytes(b"half")
    (half / "notes.txt").write_text("mine")
    lost = layout.versions / ("a" * 64)
    shutil.copytree(layout.version_folder(version.sha256), lost)
    for name in ("my loras", ".staging-7", ".staging-mine"):
        (layout.versions / name).mkdir()
    (layout.versions / ".DS_Store").write_bytes(b"stray")
    (layout.versions / "b.safetensors").write_bytes(b"stray")
    (layout.versions / "link").symlink_to(lost)
    (layout.versions / ".staging-00000000000000ff").symlink_to(lost)
    before = names(layout.versions)
    assert remove_leftovers(engine, layout) == [left.name]
    assert names(layout.versions) == before - {left.name}
    assert (half / "notes.txt").exists()
    assert (lost / DIFFUSERS_FILE).read_bytes() == b"weights"
    assert [record.getMessage() for record in caplog.records] == [
        f"{lost} has no row in the database; it is left as it is"
    ]
    assert publish_candidate(engine, layout, candidate(b"more"), accept).number == 2


@pytest.mark.parametrize("kind", ["folder", "file", "link to nothing"])
def test_what_has_a_versions_name_without_a_row_is_set_aside_and_never_deleted(kind: str, engine, settings, caplog):
    layout = layout_of(settings)
    final = layout.version_folder(sha256_of(b"weights"))
    staging = layout.versions / f".staging-{final.name[:16]}"
    for path in (final, staging):
        if kind == "folder":
            path.mkdir()
            (path / "adapter.safetensors").write_bytes(b"people made it")
        elif kind == "file":
            path.write_bytes(b"people made it")
        else:
            path.symlink_to("nowhere")
    assert publish_candidate(engine, layout, candidate(), accept).number == 1
    assert (final / DIFFUSERS_FILE).read_bytes() == b"weights"
    aside = {path.name for path in layout.aside.iterdir()}
    assert aside == {f"{final.name}-1", f"{staging.name}-1"}
    if kind == "folder":
        assert (layout.aside / f"{final.name}-1" / "adapter.safetensors").read_bytes() == b"people made it"
    assert str(layout.aside) in caplog.text


def test_a_row_comes_after_the_folder_is_on_the_disk(engine: Engine, settings, monkeypatch):
    """The order that outlives a power cut: every file, their folder, the new name, then the row."""
    layout, done = layout_of(settings), []
    places = {}

    def record(owner: object, name: str, say: Callable) -> None:
        real = getattr(owner, name)

        def call(*arguments: object) -> object:
            result = real(*arguments)
            done.append(say(*arguments))
            return result

        monkeypatch.setattr(owner, name, call)

    record(os, "fsync", lambda descriptor: ("flushed", os.fstat(descriptor).st_ino))
    record(Path, "rename", lambda path, target: ("renamed", Path(target).name))
    event.listen(engine, "commit", lambda connection: done.append(("committed", "")))

    def look(folder: Path) -> None:
        places.update({path.name: path.stat().st_ino for path in [*folder.iterdir(), folder]})

    version = publish_candidate(engine, layout, candidate(), look)
    renamed = done.index(("renamed", version.sha256))
    committed = next(n for n, step in enumerate(done) if step[0] == "committed" and n > renamed)
    for inode in places.values():
        assert ("flushed", inode) in done[:renamed]
    assert ("flushed", layout.versions.stat().st_ino) in done[renamed:committed]


def names(versions: Path) -> set[str]:
    return {path.name for path in versions.iterdir()} - {MARK}


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_bad_export_is_not_published(factor, taught, engine, settings):
    weights = {name: w * factor for name, w in weights_of(trained_tensors(taught.pipe.unet)).items()}
    with writing(engine) as session:
        run = session.merge(Run(status=RunStatus.running))
    fitted = Fitted(weights, [{"step": 1}])
    made = Made(taught, fitted, Choice(1.0, []), FrozenManifest(taught.sha256, ()), settings, run)
    with pytest.raises(BadExport, match="reloads to another network"):
        publish_version(engine, layout_of(settings), made)
    assert names(layout_of(settings).versions) == set()
    with reading(engine) as session:
        assert session.get_one(Run, run.id).status is RunStatus.running
        assert session.get(Version, 1) is None


def test_a_version_and_its_files_say_what_they_come_from(own_base, engine, settings):
    for parameter in add_fresh(own_base.pipe.unet, 4, "all", seed=0):
        parameter.data.add_(0.01).copy_(parameter.data.half())
    weights = weights_of(trained_tensors(own_base.pipe.unet))
    manifest = FrozenManifest(own_base.sha256, ())
    with writing(engine) as session:
        session.add(Manifest(id=manifest.id, body=manifest.body))
        run = session.merge(Run(status=RunStatus.running))
    curve = [{"strength": 2.0, "passes": 1.0}]
    made = Made(own_base, Fitted(weights, [{"step": 1, "loss": 0.5}]), Choice(2.0, curve), manifest, settings, run)
    before = utc_now()
    version = publish_version(engine, layout_of(settings), made)
    assert (version.number, version.parent, version.manifest_id, version.run_id) == (1, 0, manifest.id, run.id)
    assert (version.base_model, version.base_sha256) == (own_base.name, own_base.sha256)
    assert (version.rule, version.strength, version.strength_curve) == (settings.rule, 2.0, curve)
    assert version.curve == [{"step": 1, "loss": 0.5}]
    assert version.settings.items() >= recorded_settings(settings).items()
    assert 0 <= version.train_seconds < 300
    folder = layout_of(settings).version_folder(version.sha256)
    assert (folder / "manifest.json").read_text() == manifest.body
    for name, column in ((DIFFUSERS_FILE, version.sha256), (KOHYA_FILE, version.kohya_sha256)):
        assert sha256_of((folder / name).read_bytes()) == column
        with safe_open(folder / name, "pt") as file:
            header = file.metadata()
        assert header["naysayer.manifest"] == manifest.id
        assert (header["naysayer.base"], header["naysayer.base_sha256"]) == (own_base.name, own_base.sha256)
        assert json.loads(header["naysayer.settings"])["lora_rank"] == settings.lora_rank
        assert header["naysayer.strength"] == "2"
        assert json.loads(header["naysayer.libraries"]) == libraries() == version.libraries
        assert header["naysayer.commit"] == code_commit() == version.code_commit
    assert header["ss_seed"] == str(settings.seed)
    assert header["ss_max_train_steps"] == str(settings.train_steps)
    assert header["ss_learning_rate"] == str(settings.learning_rate)
    assert header["ss_batch_size_per_device"] == str(settings.train_batch)
    assert header["ss_num_train_images"] == "0"
    with reading(engine) as session:
        done = session.get_one(Run, run.id)
        newest = session.exec(select(AliasEvent).order_by(AliasEvent.id.desc())).first()
    assert (done.status, done.version, done.message) == (RunStatus.done, 1, "published v1")
    assert done.updated_at >= before
    assert (newest.action, newest.to_version, newest.reason) == (Action.publish, 1, "trained on 0 rated pictures")
    with pytest.raises(RetrainError, match=rf"same file as an earlier version \({version.sha256[:12]}"):
        publish_version(engine, layout_of(settings), made)


def test_with_the_version_its_check_says_which_votes_wait_for_another_look(own_base, engine, settings, fill):
    for parameter in add_fresh(own_base.pipe.unet, 4, "all", seed=0):
        parameter.data.add_(0.01).copy_(parameter.data.half())
    images = fill(engine, images=40)
    rate(engine, "ann", {image: KEEP if image <= 20 else REJECT for image in images})
    with writing(engine) as session:
        session.exec(update(Image).values(is_queued=False))
        items = pool(session)
        run = session.merge(Run(status=RunStatus.running))
        manifest = FrozenManifest(own_base.sha256, tuple(items))
        session.add(Manifest(id=manifest.id, body=manifest.body))
    scored = [Scored(item, 2.0 if item.role is Role.reject or item.image_id == 5 else -2.0) for item in items]
    fitted = Fitted(weights_of(trained_tensors(own_base.pipe.unet)), [{"step": 1}])
    made = Made(own_base, fitted, Choice(1.0, []), manifest, settings, run, MadeCheck(ON, scored))
    publish_version(engine, layout_of(settings), made)
    with reading(engine) as session:
        assert list(session.execute(select_waiting()).scalars()) == [5]
