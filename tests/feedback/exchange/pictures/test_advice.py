"""What a picture's line says to do does what it says, when it is done."""

import shlex
import threading
import time

import pytest
from sqlalchemy import Engine

from feedback.exchange.pictures.bases import parse_models, remember, require_base, wait_for_base
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.outcome import Outcome
from feedback.exchange.pictures.unknown import Unknown
from feedback.versions import begin
from feedback.workers import Pulse, beat, sign_off
from store.errors import BadRequest
from store.tables import Worker, WorkerState
from tests.feedback.exchange.pictures.brought import OURS, bring, folder_of, look, png


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


MODELS = {"a": "fox", "b": "fox's mix", "c": "fox", "d": "wolf $HOME, Model hash: 45a21ea00a", "e": "builtin"}


def test_one_command_says_the_base_of_every_model(settings, store, tmp_path):
    folder = tmp_path / "my pictures"
    for name, model in MODELS.items():
        folder_of(folder, **{f"{name}__png": png(f"a {name}", settings=OURS.replace("builtin", model))})
    nameless = Unknown()
    for one in look(store, folder)[0]:
        nameless.count(one)
    _, said = bring(settings, store, folder)
    assert said == [nameless.advice(folder)]
    assert said[0].startswith(
        "which base 3 models are of is not known, so 4 pictures will not be trained on. If all are"
    )
    *command, a, first, b, second, c, third = shlex.split(said[0].splitlines()[-1])
    assert [*command, a, b, c] == ["naysayer", "import", "pictures", str(folder), "--model", "--model", "--model"]
    assert [first, *sorted([second, third])] == ["fox=sdxl", "45a21ea00a=sdxl", "fox's mix=sdxl"]
    remember(store, parse_models(one.replace("=sdxl", "=ours") for one in (first, second, third)))
    assert bring(settings, store, folder)[1] == []
    assert {one.found.base for one in look(store, folder)[0]} == {"sdxl"}


def test_the_second_of_two_equal_pictures_names_the_first(store, tmp_path):
    data = png("a fox")
    found, report = look(store, folder_of(tmp_path / "in", a__png=data, b__png=data, c__png=png("a wolf"), d__png=b""))
    why = {one.entry.name: (one.outcome, one.found.why) for one in found}
    assert why["a.png"] == why["c.png"] == (Outcome.new, "")
    assert why["b.png"] == (Outcome.known, "it is the same picture as a.png in this folder")
    assert (report.new, report.known, report.refused.total()) == (2, 1, 1)


def test_a_picture_that_came_in_before_is_not_called_the_same_as_itself(settings, store, tmp_path):
    folder = folder_of(tmp_path / "in", a__png=png("a fox"))
    bring(settings, store, folder)
    [one], _ = look(store, folder)
    assert (one.outcome, one.found.why) == (Outcome.known, "")


def test_an_import_waits_while_a_worker_loads_the_base(engine):
    said: list[str] = []
    beat(engine, Pulse(Worker(name="w", host="here", state=WorkerState.starting), 5))
    with pytest.raises(BadRequest, match="is still loading this store's base model"):
        require_base(engine)
    with pytest.raises(BadRequest, match="is still loading this store's base model"):
        wait_for_base(engine, said.append, patience_s=0)
    assert said == []
    waiting = threading.Thread(target=lambda: (time.sleep(1.5), begin(engine, "builtin", "0" * 64)))
    waiting.start()
    wait_for_base(engine, said.append)
    waiting.join()
    require_base(engine)
    assert said == ["waiting for the base model, which the worker is loading; Ctrl-C stops, and nothing has come in"]


def test_without_a_worker_it_is_said_at_once_what_to_do(engine):
    said: list[str] = []
    beat(engine, Pulse(Worker(name="w", host="here", state=WorkerState.starting), 5))
    sign_off(engine, "w")
    with pytest.raises(BadRequest, match="start `naysayer run`, wait until it draws"):
        wait_for_base(engine, said.append)
    assert said == []
