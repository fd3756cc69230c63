import json
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from bench.card.card import NO_CARD, Card, checks, on_a_card, processes, run_card
from bench.card.page import measured
from bench.card.parts.checks import Finding
from bench.card.parts.peers import Scripts
from bench.card.plan import Pace, run_parts
from bench.commands import app

NEEDED_GB = 16


def quiet(name: str) -> None:
    """Tells nobody."""


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_on_a_cpu_the_command_checks_what_it_can_and_says_what_it_left_out(tmp_path):
    record = tmp_path / "card.json"
    words = ["bench", "card", "--model", "builtin", "--device", "cpu", "--minutes", "10", "--record", str(record)]
    done = CliRunner().invoke(app, [*words, "--folder", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert json.loads(record.read_text()) == found
    assert [one for one in found["findings"] if not one["holds"]] == []
    assert len(found["findings"]) == 11
    assert found["left_out"][0] == NO_CARD
    assert found["figures"] == {}
    assert list(tmp_path.iterdir()) == [record]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_part_of_a_card_runs_on_the_built_in_model(subject):
    parts = on_a_card(subject, Pace(0.0, True), cards=[8, 24])
    found = run_parts(parts, subject, time.monotonic() + 600)
    names = [one.name for each in found for one in each.findings]
    assert names[:4] == ["a fit on 8 GB", "drawing on 8 GB", "a fit on 24 GB", "drawing on 24 GB"]
    # A CPU has no cap, so only the two checks of running out of memory cannot hold.
    failed = [one.name for each in found for one in each.findings if not one.holds]
    assert failed == ["a pass that does not fit is halved", "a fit that cannot fit ends with advice"]
    figures = {name for each in found for name in each.figures}
    assert {"drawing", "retrain", "decoding"} <= figures
    assert [sentence for each in found for sentence in each.left_out] == []


def test_without_time_only_the_first_and_most_important_part_is_planned(subject):
    pace = Pace(1.0, True)
    parts = [*checks(subject, pace), *on_a_card(subject, pace, [8]), *processes(subject, pace, Scripts(), 0.0)]
    found = run_parts(parts, subject, time.monotonic() - 1)
    assert [one.findings for one in found if one.findings] == []
    assert [one.left_out[0].split(":")[0] for one in found] == [part.name for part in parts]


def test_scripts_that_were_named_become_a_part(subject, tmp_path):
    pace = Pace(1.0, True)
    names = [part.name for part in processes(subject, pace, Scripts(tmp_path / "a.py"), 0.0)]
    assert "beside other scripts" in names
    assert "beside other scripts" not in [part.name for part in processes(subject, pace, Scripts(), 0.0)]


def test_a_card_with_a_check_that_fails_does_not_hold_and_says_so():
    good, bad = Finding("one", True, "fine"), Finding("two", False, "not fine")
    card = Card("a card", 8.6, "builtin", 64, 64, 64, 3, [good, bad], left_out=["speed"])
    assert not card.holds
    assert "FAILS  two: not fine" in card.words
    assert card.words.endswith("left out: speed")
    assert "| two | **no** | not fine |" in measured(card.as_json())


def test_a_missing_script_is_refused_before_anything_is_written(tmp_path):
    named = ["--diffusers-script", str(tmp_path / "none.py"), "--folder", str(tmp_path)]
    done = CliRunner().invoke(app, ["bench", "card", "--model", "builtin", *named])
    assert done.exit_code != 0
    assert "is not a file" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    psutil.virtual_memory().available < NEEDED_GB * 1e9, reason=f"the full-size model needs {NEEDED_GB} GB of memory"
)
def test_every_check_holds_at_full_size_on_a_cpu(tmp_path: Path):
    card = run_card("cpu", minutes=40, folder=tmp_path)
    assert [one for one in card.findings if not one.holds] == []
    assert len(card.findings) == 11
    assert (card.side_px, card.left_out[0]) == (256, NO_CARD)
