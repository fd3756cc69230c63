"""What a picture's line says to do does what it says, when it is done."""

import shlex

import pytest
from sqlalchemy import Engine

from feedback.exchange.pictures.bases import parse_models, remember
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.outcome import Outcome
from tests.feedback.exchange.pictures.brought import OURS, folder_of, look, png


@pytest.fixture
def store(engine: Engine, fill) -> Engine:
    fill(engine, images=4)
    return engine


def test_a_model_without_a_name_is_named_in_a_list(store, tmp_path):
    folder = folder_of(tmp_path / "in", a__png=png("a fox", settings=OURS.replace(", Model: builtin", "")))
    [one], _ = look(store, folder)
    assert one.outcome is Outcome.rated_only
    assert "name no model" in one.found.why
    assert "(--mapping, columns file and model)" in one.found.why
    [one], _ = look(store, folder, Mapped([("a.png", {"model": "builtin"})]))
    assert (one.outcome, one.found.why) == (Outcome.new, "")


@pytest.mark.parametrize("model", ["fox", "fox's mix", "fox $HOME"])
def test_a_models_name_is_said_as_a_shell_takes_it(store, tmp_path, model):
    folder = folder_of(tmp_path / "in", a__png=png("a fox", settings=OURS.replace("builtin", model)))
    [one], _ = look(store, folder)
    words = shlex.split(one.found.why.rpartition(", say ")[2])
    assert words == ["--model", f"{model}=sdxl"]
    remember(store, parse_models([words[1].replace("=sdxl", "=ours")]))
    [one], _ = look(store, folder)
    assert (one.outcome, one.found.why) == (Outcome.new, "")
