"""What is pushed, to a server on this machine that answers as the Hub does."""

from pathlib import Path

import pytest

from feedback.exchange.outgoing.chosen import Wanted
from feedback.exchange.outgoing.folder import export_folder
from feedback.exchange.outgoing.hub import is_exported, push, require_hub
from store.errors import BadRequest
from tests.feedback.exchange.conftest import Rated
from tests.feedback.exchange.outgoing.conftest import Hub


@pytest.fixture
def out(rated: Rated, tmp_path: Path) -> Path:
    return export_folder(rated.engine, rated.blobs, Wanted(), tmp_path / "out").folder


def test_the_whole_folder_is_pushed_as_a_private_dataset(hub: Hub, out: Path):
    require_hub("ann/rated")
    assert is_exported(out)
    assert push(out, "ann/rated").endswith("/datasets/ann/rated")
    assert (hub.made["type"], hub.made["name"], hub.made["organization"]) == ("dataset", "rated", "ann")
    assert hub.made.get("private") or hub.made.get("visibility") == "private"
    here = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert hub.files == here


def test_a_hub_that_refuses_is_told_in_a_sentence_and_the_folder_stays(hub: Hub, out: Path):
    hub.refuses = 403
    with pytest.raises(BadRequest, match="was not written on the Hub"):
        push(out, "ann/rated")
    assert is_exported(out)


def test_a_hub_that_does_not_answer_is_told_in_a_sentence(hub: Hub, out: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(BadRequest, match="run the same command again"):
        push(out, "ann/rated")


@pytest.mark.parametrize("repo", ["rated", "a/b/c", "an n/rated", "ann/", ""])
def test_a_name_that_is_none_is_refused_before_anything_is_written(hub: Hub, repo: str):
    with pytest.raises(BadRequest, match="OWNER/NAME"):
        require_hub(repo)


def test_without_a_token_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(BadRequest, match="hf auth login"):
        require_hub("ann/rated")
