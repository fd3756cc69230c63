"""`naysayer export data` on the command line."""

import json

import pytest
from typer.testing import CliRunner

from store.errors import BadRequest
from tests.feedback.exchange.conftest import filled, rated  # noqa: F401
from tests.feedback.exchange.outgoing.conftest import hub  # noqa: F401
from ui.commands import app


@pytest.fixture
def export(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(settings.data_dir))

    def call(*words: str) -> str:
        return CliRunner().invoke(app, ["export", "data", *words], catch_exceptions=False).output

    return call


def test_the_options_are_the_filters_of_the_pool(rated, export, tmp_path):  # noqa: F811
    said = export("all")
    assert "wrote 7 pictures, 10 votes of 3 raters and 3 pairs into" in said
    assert "wrote 1 picture, " in export("tied", "--which", "disputed")
    assert "wrote 3 pictures, " in export("hands", "--reason", "hands", "--with-names")
    assert "wrote 2 pictures, " in export("both", "--accord", "all agree", "--rater", "bob", "--which", "keeps")
    names = {json.loads(line)["rater"] for line in (tmp_path / "hands/votes.jsonl").read_text().splitlines()}
    assert names == {"Ann Anders", "Bob", "Cy"}


def test_a_word_that_is_no_filter_is_named_with_those_that_are(rated, export):  # noqa: F811
    with pytest.raises(BadRequest, match="--which is rejects, keeps, disputed"):
        export("out", "--which", "good ones")
    with pytest.raises(BadRequest, match="--reason is hands"):
        export("out", "--reason", "ugly")


def test_the_folder_is_pushed_and_pushed_again_as_it_is(rated, export, hub, tmp_path):  # noqa: F811
    said = export("out", "--hub", "ann/rated")
    assert "wrote 7 pictures" in said
    assert "pushed to " in said
    assert hub.files["README.md"] == (tmp_path / "out/README.md").read_bytes()
    assert "pushed as it is" in export("out", "--hub", "ann/rated")
    with pytest.raises(BadRequest, match="OWNER/NAME"):
        export("other", "--hub", "ann")
    assert not (tmp_path / "other").exists()
