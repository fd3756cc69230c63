import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedback.versions import begin, get_version
from store.errors import OtherBase
from store.migrate import open_store
from tests.trainer.conftest import quick_settings
from trainer.base.weights import BUILTIN_FOLDER, pin_revision, revision_of

COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40
LOAD = """
import sys
from store.errors import NaysayerError
from store.settings import Settings
from trainer.base.model import load_base
for model, revision in [word.split("@") for word in sys.argv[1:]]:
    try:
        base = load_base(Settings(_env_file=None, model=model, model_revision=revision))
        print(base.name, base.revision, base.facts)
    except NaysayerError as error:
        print(error)
"""


def hub_cache(folder: Path) -> Path:
    """A hub cache as the library lays it out, with one model at one commit, whose branch is main."""
    model = folder / "models--someone--tiny-sdxl"
    (model / "snapshots").mkdir(parents=True)
    (model / "snapshots" / COMMIT).symlink_to(BUILTIN_FOLDER)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    return folder


@pytest.mark.slow
def test_offline_a_hub_id_loads_from_the_cache_with_its_commit_and_what_is_not_there_is_refused(tmp_path):
    cache = {"HF_HUB_CACHE": str(hub_cache(tmp_path / "hub")), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LOAD, "someone/tiny-sdxl@", "someone/else@", f"someone/tiny-sdxl@{OTHER}"]
    told = subprocess.run(command, env=os.environ | cache, capture_output=True, text=True)
    found, *refused = told.stdout.splitlines()
    assert found == f"someone/tiny-sdxl {COMMIT} {{'model_revision': '{COMMIT}'}}"
    assert len(refused) == 2, told.stderr
    assert all("HF_HUB_OFFLINE forbids fetching it; run `hf download someone/" in sentence for sentence in refused)


def test_a_folder_or_file_from_elsewhere_has_no_revision(tmp_path):
    assert revision_of(tmp_path) == ""
    assert revision_of(tmp_path / "snapshots" / "main") == ""
    assert revision_of(tmp_path / "snapshots" / COMMIT) == COMMIT


def test_a_store_goes_on_with_the_commit_it_began_with(engine, settings):
    hub = settings.model_copy(update={"model": "someone/tiny-sdxl"})
    assert pin_revision(engine, hub) == hub
    begin(engine, hub.model, "0" * 64, {"model_revision": COMMIT})
    assert pin_revision(engine, hub).model_revision == COMMIT
    assert get_version(engine, 0).settings == {"model_revision": COMMIT}


def test_a_revision_set_by_hand_or_another_model_is_not_overruled(engine, settings):
    hub = settings.model_copy(update={"model": "someone/tiny-sdxl"})
    begin(engine, hub.model, "0" * 64, {"model_revision": COMMIT})
    for other in ({"model_revision": OTHER}, {"model": "someone/else"}):
        asked = hub.model_copy(update=other)
        assert pin_revision(engine, asked) == asked


def test_other_weights_under_the_same_name_are_refused_with_both_commits(engine):
    begin(engine, "someone/tiny-sdxl", "0" * 64, {"model_revision": COMMIT})
    with pytest.raises(OtherBase, match=f"someone/tiny-sdxl at revision {COMMIT}.*at revision {OTHER}"):
        begin(engine, "someone/tiny-sdxl", "1" * 64, {"model_revision": OTHER})


def test_a_store_of_a_local_model_has_nothing_to_pin(tmp_path):
    settings = quick_settings(tmp_path / "data")
    engine = open_store(settings)
    begin(engine, settings.model, "0" * 64)
    assert pin_revision(engine, settings) == settings
    engine.dispose()
