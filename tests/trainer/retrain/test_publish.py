from pathlib import Path

import pytest
from sqlalchemy import Engine

from feedback.versions import begin, get_version
from store.errors import BadExport
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Version
from tests.trainer.conftest import quick_settings
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE
from trainer.retrain.publish import Candidate, publish_candidate, remove_leftovers

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
    assert [one.name for one in layout_of(settings).versions.iterdir()] == [version.sha256]


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
    assert list(layout_of(settings).versions.iterdir()) == []
    assert publish_candidate(engine, layout_of(settings), candidate(), accept).number == 1


def test_folders_without_a_row_are_removed_and_others_stay(engine: Engine, settings):
    version = publish_candidate(engine, layout_of(settings), candidate(), accept)
    (layout_of(settings).versions / ".staging-7").mkdir()
    assert remove_leftovers(engine, layout_of(settings)) == [".staging-7"]
    assert [one.name for one in layout_of(settings).versions.iterdir()] == [version.sha256]
