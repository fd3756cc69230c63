import pytest

from bench.card.parts import turns
from bench.card.parts.turns import take_turns


def quiet(name: str) -> None:
    """Tells nobody."""


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_worker_and_retrain_take_turns_with_the_built_in_model(subject):
    [found] = take_turns(subject, "builtin", quiet)
    assert found.holds, found.words
    assert "never two models at once" in found.words
    assert "base" not in subject.kept


def test_a_trial_with_a_fault_does_not_hold(subject, monkeypatch):
    from bench.turns.trial import Found

    monkeypatch.setattr(turns, "rated_store", lambda folder, ways, prompts: folder)
    monkeypatch.setattr(turns, "trial", lambda *words: Found("nobody", 1.0, 3, 9.0, ("both had a model at 2.00",)))
    [found] = take_turns(subject, "builtin", quiet)
    assert not found.holds
    assert found.words == "both had a model at 2.00; 9 s"
