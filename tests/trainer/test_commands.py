import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from feedback.settings_used import remember
from store.errors import BadLora, BadRequest, UnknownImage
from store.layout import layout_of
from store.migrate import open_store
from tests.waiting import PATIENCE_S
from trainer.commands import app


@pytest.fixture
def naysayer(monkeypatch, settings):
    """Calls the command line on the test's store; what it printed."""
    monkeypatch.chdir(settings.data_dir.parent)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(settings.data_dir))

    def call(*words: str, code: int = 0) -> str:
        answer = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert answer.exit_code == code, answer.output
        return answer.output

    return call


def all_commands(group):
    for command in group.commands.values():
        yield from all_commands(command) if hasattr(command, "commands") else [command]


def test_every_command_and_every_option_has_a_help_text():
    for command in all_commands(typer.main.get_command(app)):
        assert command.help, command.name
        assert all(parameter.help for parameter in command.params), command.name


def test_help_loads_no_torch():
    code = "import sys, trainer.commands; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE_S, check=False).returncode == 0


def test_a_picture_becomes_a_control_and_the_control_is_retired(naysayer, engine, fill):
    picture = fill(engine)[2]
    control = picture + 4
    assert naysayer("controls", "add", str(picture), "reject") == (
        f"control {control} shows picture {picture}; the right answer is reject\n"
    )
    listed = naysayer("controls", "list")
    assert listed.split()[:5] == [str(control), "reject", "by", "hand", "0"]
    assert naysayer("controls", "retire", str(control)) == f"control {control} is retired\n"
    assert naysayer("controls", "list") == listed.rstrip("\n") + "  (retired)\n"


def test_a_control_needs_a_known_picture_and_a_known_answer(naysayer, engine, fill):
    fill(engine)
    with pytest.raises(BadRequest, match="reject or keep; 'maybe' was given"):
        naysayer("controls", "add", "1", "maybe")
    with pytest.raises(UnknownImage, match="no picture 99"):
        naysayer("controls", "add", "99", "keep")


def test_without_agreement_there_are_no_controls_from_agreed_pictures(naysayer, engine, fill):
    fill(engine)
    assert naysayer("controls", "agreed") == "0 new controls from agreed pictures\n"


def test_a_retrain_that_is_not_due_says_so_in_one_json_line(naysayer, engine, fill):
    fill(engine)
    (line,) = naysayer("retrain", "--json").splitlines()
    assert isinstance(json.loads(line), dict)


def test_a_retrain_under_other_settings_than_those_that_last_drew_says_so(naysayer, settings, engine, fill):
    fill(engine)
    remember(layout_of(settings), settings.model_copy(update={"retrain_after": 7}))
    assert "retrain_after is 7 there, is empty here" in naysayer("retrain")


def test_a_file_that_is_no_lora_is_not_imported(naysayer, engine, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"woof")
    with pytest.raises(BadLora, match="cut short"):
        naysayer("import", "lora", str(tmp_path / "bad.safetensors"))


def test_the_doctor_prints_each_finding_and_exits_with_1_on_a_problem(naysayer, settings, engine, publish_version):
    publish_version(engine, 1)
    lines = naysayer("doctor", code=1).splitlines()
    assert {line[:8] for line in lines} == {"ok      ", "PROBLEM "}
    assert any(line.startswith("PROBLEM v1: ") for line in lines)


def test_a_picture_is_drawn_once_and_then_the_queue_is_full(naysayer, settings, monkeypatch):
    for name, value in (("QUEUE_TARGET", 1), ("EVALUATION_PAIRS", 1), ("NUM_INFERENCE_STEPS", 1)):
        monkeypatch.setenv(f"NAYSAYER_{name}", str(value))
    # Where loading takes more than seconds, its bar comes first.
    first, second = (naysayer("generate", "--once").splitlines()[-1] for _ in range(2))
    assert first != "drew 0 pictures" == second
    open_store(settings).dispose()
