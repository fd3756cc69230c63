from pathlib import Path

import pytest

from bench.turns.trial import overlaps, rated_store, resident, trial


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rated_store(tmp_path_factory.mktemp("turns") / "template" / "data")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("killed", "seed"), [("worker", 1), ("retrain", 1)])
def test_worker_and_retrain_take_turns_however_one_of_them_ends(
    template: Path, tmp_path: Path, killed: str, seed: int
) -> None:
    found = trial(template, tmp_path, killed, seed)
    assert found.faults == ()
    assert found.votes > 0


def test_two_models_at_once_are_found(tmp_path: Path) -> None:
    log = tmp_path / "models.log"
    log.write_text("1.0 7 +\n2.0 8 +\n3.0 7 -\n4.0 8 -\n")
    assert overlaps(log, {}) == ["processes 8 and 7 both had a model at 2.00"]


def test_a_killed_process_has_no_model_any_more(tmp_path: Path) -> None:
    log = tmp_path / "models.log"
    log.write_text("1.0 7 +\n2.0 8 +\n")
    assert overlaps(log, {7: 1.5}) == []
    assert resident(log, {7: 1.5}) == {7: False, 8: True}
