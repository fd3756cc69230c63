from feedback.succession import AT_ONCE, Compared, compared, promoted_at_once, replaced_by
from feedback.versions import champion, events, promote, roll_back, undo_promotion
from store.engine import reading
from store.tables import Action


def test_the_challenger_is_compared_first_and_then_the_champion_with_the_one_before(engine, publish_version):
    publish_version(engine, 1)
    with reading(engine) as session:
        assert compared(session) == Compared(1, 0, is_live=False)
    promote(engine, 1)
    with reading(engine) as session:
        assert compared(session) == Compared(1, 0, is_live=True)
        assert replaced_by(session, 1) == 0
        assert replaced_by(session, 0) is None
    roll_back(engine)
    with reading(engine) as session:
        assert compared(session) is None


def test_only_what_its_retrain_promoted_goes_back_by_itself_and_only_once(engine, publish_version):
    publish_version(engine, 1)
    promote(engine, 1, "I like it")
    assert not undo_promotion(engine, 1, 0, "worse")
    publish_version(engine, 2)
    promote(engine, 2, AT_ONCE)
    with reading(engine) as session:
        assert promoted_at_once(session) == (2, 1)
    assert not undo_promotion(engine, 2, 0, "of a comparison that is over")
    assert undo_promotion(engine, 2, 1, "worse: of 12 pairs")
    assert not undo_promotion(engine, 2, 1, "worse: of 12 pairs")
    assert champion(engine).number == 1
    event = events(engine)[0]
    assert (event.action, event.from_version, event.to_version) == (Action.roll_back, 2, 1)
    assert event.reason == "worse: of 12 pairs"
    promote(engine, 2, "forced by a person")
    with reading(engine) as session:
        assert promoted_at_once(session) is None
