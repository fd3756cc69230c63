import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from feedback.sample.work import Job
from feedback.versions import begin
from store.errors import BadRequest, OtherBase, UnknownVersion
from store.migrate import open_store
from tests.waiting import PATIENCE_S, until
from trainer.base.vae import decode_latents
from trainer.commands import app
from trainer.draw.draw import Order, draw, gather_prompts
from trainer.sample.sampler import sample_latents

PROMPTS = ["a red star", "a blue hand"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def difference(one: bytes, other: bytes) -> int:
    """The largest difference of two pixels: batches of another size round differently."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@pytest.fixture
def order(tmp_path):
    return Order(PROMPTS, tmp_path / "out" / "drawn", number=2, seed=5)


@pytest.fixture
def quick(settings):
    return settings.model_copy(update={"num_inference_steps": 2, "sample_batch": 3})


def test_a_store_that_does_not_exist_yet_draws_with_the_plain_base_and_is_not_made(quick, order):
    said: list[str] = []
    report = draw(quick, order, said.append)
    assert (report.drawn, report.redrawn, report.there) == (4, 0, 0)
    assert [name.rsplit("-", 1)[0] for name in names(order.out)] == [
        "a-blue-hand-5-v0",
        "a-blue-hand-6-v0",
        "a-red-star-5-v0",
        "a-red-star-6-v0",
    ]
    assert said == ["loading the model", "v0 draws each picture once: it has no check"]
    assert not quick.data_dir.exists()


def test_a_second_call_draws_only_what_is_missing_or_damaged(quick, order):
    draw(quick, order, print)
    before = {path: path.read_bytes() for path in order.out.iterdir()}
    pixels = {path: Image.open(path).tobytes() for path in before}
    first, second, *others = before
    first.unlink()
    second.write_bytes(before[second][:-30])
    report = draw(quick, order, print)
    assert (report.drawn, report.there) == (2, 2)
    assert {path: path.read_bytes() for path in others} == {path: before[path] for path in others}
    assert max(difference(Image.open(path).tobytes(), pixels[path]) for path in before) <= 1


def test_other_settings_draw_other_files_beside_the_first(quick, order):
    draw(quick, order, print)
    draw(quick.model_copy(update={"guidance_scale": 3.0}), order, print)
    assert len(names(order.out)) == 8


def test_the_pictures_are_those_of_the_loop(quick, order, base):
    draw(quick, order, print)
    [picture] = decode_latents(base, sample_latents(base, [Job("a red star", 6)], base.plain))
    [path] = order.out.glob("a-red-star-6-*")
    assert difference(Image.open(path).tobytes(), picture.tobytes()) <= 1


def test_a_store_of_another_base_is_refused_before_anything_is_drawn(quick, order):
    engine = open_store(quick)
    begin(engine, "another/base", "0" * 64)
    engine.dispose()
    with pytest.raises(OtherBase):
        draw(quick, order, print)
    assert names(order.out) == []


def test_an_unknown_version_is_refused_before_the_model_is_loaded(quick, order, engine):
    said: list[str] = []
    with pytest.raises(UnknownVersion):
        draw(quick, replace(order, version=9), said.append)
    assert said == []
    assert not order.out.exists()


def test_prompts_come_from_arguments_and_a_list_each_once(tmp_path):
    (tmp_path / "list.csv").write_text("prompt\na blue hand\na cat\n")
    assert gather_prompts(["a red star", "a  cat"], tmp_path / "list.csv") == ["a red star", "a  cat", "a blue hand"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [([], "there is nothing to draw"), ([""], "is empty"), (["x" * 3000], "3,000 characters"), (["a\x07"], "U\\+0007")],
)
def test_what_cannot_be_drawn_is_one_sentence(texts, said):
    with pytest.raises(BadRequest, match=said):
        gather_prompts(texts, None)


def test_tries_and_best_of_exclude_each_other(quick, order):
    with pytest.raises(BadRequest, match="give one of them"):
        draw(quick, replace(order, tries=2, best_of=2), print)


def test_a_prompt_that_the_model_does_not_read_to_its_end_is_named(quick, tmp_path):
    said: list[str] = []
    order = Order(["a red star above a blue hand, " * 14], tmp_path / "out")
    draw(quick.model_copy(update={"prompt_weighting": "off"}), order, said.append)
    assert any("does not read 1 prompt to its end" in one for one in said)
    said.clear()
    draw(quick, order, said.append)
    assert not any("does not read" in one for one in said)
    assert len(names(order.out)) == 2  # the files say how the prompt was read


def test_the_command_draws_and_says_what_came_of_it(quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_NUM_INFERENCE_STEPS", "2")
    answer = CliRunner().invoke(app, ["draw", "a red star", "--number", "2"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == "drew 2 pictures into drawn\n"
    assert len(names(tmp_path / "drawn")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_call_leaves_only_whole_pictures_and_the_next_one_goes_on(tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_SAMPLE_BATCH", "1")
    monkeypatch.setenv("NAYSAYER_NUM_INFERENCE_STEPS", "2")
    command = [sys.executable, "-m", "trainer.commands", "draw", "a red star", "--number", "200", "--out"]
    out, root = tmp_path / "drawn", str(Path(__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    call = subprocess.Popen([*command, str(out)], stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(out.glob("*.png"))) >= 5, "five pictures")
    call.send_signal(number)
    said = call.communicate(timeout=PATIENCE_S)[1]
    if number == signal.SIGTERM:
        assert call.returncode == 75
        assert "pictures; the same command goes on from there" in said.splitlines()[-1]
    there = list(out.glob("*.png"))
    assert 5 <= len(there) < 200
    for path in there:
        Image.open(path).load()
    command[command.index("200")] = str(len(there) + 1)
    again = CliRunner().invoke(app, [*command[3:], str(out)], catch_exceptions=False)
    assert again.stdout == f"drew 1 picture into {out}; {len(there)} were there\n"
    assert sorted(path.suffix for path in out.iterdir()) == [".png"] * (len(there) + 1)
