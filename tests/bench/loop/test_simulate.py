"""Simulated raters vote through the real store, as their habits say."""

from collections import Counter

import pytest
from sqlmodel import select

from bench.loop.simulate import Habits, simulate
from store.engine import reading
from store.errors import BadRequest
from store.migrate import open_store
from store.settings import Settings
from store.tables import Image, Rater, Verdict, Vote, VoteReason
from tests.trainer.conftest import quick_settings


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Settings:
    """A store with pictures that nobody has rated yet."""
    return quick_settings(tmp_path_factory.mktemp("simulated") / "data", queue_target=12, evaluation_pairs=0, overlap=1)


def votes_of(settings: Settings) -> list[str]:
    engine = open_store(settings)
    with reading(engine) as session:
        verdicts = [vote.verdict.value for vote in session.exec(select(Vote).order_by(Vote.id))]  # type: ignore[arg-type]
    engine.dispose()
    return verdicts


def test_raters_take_turns_and_their_habits_decide(drawn):
    simulate(drawn, 2, 6, Habits(0.0, blind_share=1.0), retrain_when_due=False)
    simulate(drawn, 2, 6, Habits(0.0, skip_rate=1.0), retrain_when_due=False)
    assert Counter(votes_of(drawn)) == {"reject": 6, "skip": 6}
    engine = open_store(drawn)
    with reading(engine) as session:
        assert len(session.exec(select(Rater)).all()) == 2
        assert len(session.exec(select(Image)).all()) >= 12
    engine.dispose()


def test_a_reject_names_the_reasons_for_what_is_wrong_and_a_keep_none(drawn):
    for error_rate, verdict in ((0.0, Verdict.reject), (1.0, Verdict.keep)):  # so few steps draw only wrong pictures
        simulate(drawn, 1, 3, Habits(error_rate), retrain_when_due=False)
        engine = open_store(drawn)
        with reading(engine) as session:
            votes = session.exec(select(Vote).order_by(Vote.id.desc()).limit(3)).all()
            named = {reason.vote_id for reason in session.exec(select(VoteReason))}
        engine.dispose()
        assert {(vote.verdict, vote.id in named) for vote in votes} == {(verdict, verdict is Verdict.reject)}


def test_only_the_worlds_own_model_can_be_judged(tmp_path):
    with pytest.raises(BadRequest, match="only its own model, but NAYSAYER_MODEL is '/somewhere'; set it to builtin"):
        simulate(Settings(_env_file=None, data_dir=tmp_path, model="/somewhere"), 1, 1, Habits())


def test_the_worlds_own_judge_decides_and_its_prompts_fill_an_empty_list(tmp_path, other_world):
    asked = []

    def judge(picture, prompt):
        asked.append(prompt)
        return ("anything",)

    settings = quick_settings(tmp_path / "data", model=other_world.model, queue_target=4, evaluation_pairs=0, overlap=1)
    simulate(settings, 1, 4, Habits(0.0, world=other_world._replace(judge=judge)), retrain_when_due=False)
    assert votes_of(settings) == ["reject"] * 4
    assert set(asked) <= set(other_world.prompts(0, 198, other_world.subjects, ()))
