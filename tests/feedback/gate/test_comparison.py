from feedback.gate.comparison import compare_versions, current_pairs, pairs_that_differ, read_stamp
from feedback.gate.evidence import Side, Sides
from feedback.pool.verdicts import Outcome
from feedback.sample.conditions import UNKNOWN, Conditions
from feedback.versions import promote, roll_back, withdraw


def side(outcome, conditions=UNKNOWN):
    return [Side("a" * 64, outcome, False, conditions)]


def test_pairs_differ_where_one_was_kept_and_the_other_rejected_and_both_were_drawn_alike():
    keep, reject = Outcome.keep, Outcome.reject
    new = {(1, 1): side(keep), (1, 2): side(reject), (1, 3): side(keep), (1, 4): side(keep, Conditions(width=64))}
    old = {(1, 1): side(reject), (1, 2): side(keep), (1, 3): side(keep), (1, 4): side(reject, Conditions(width=96))}
    found = Sides({3: new | {(1, 5): side(keep)}, 2: old | {(1, 6): side(reject)}}, 6)
    assert pairs_that_differ(found, 3, 2) == ([(1, 1)], [(1, 2)])


def test_the_cards_are_of_the_challenger_and_of_the_champion_beside_the_one_it_replaced(engine, publish_version):
    assert current_pairs(engine) == []
    publish_version(engine, 1)
    assert current_pairs(engine) == [(1, 0)]
    promote(engine, 1)
    assert current_pairs(engine) == [(1, 0)]
    publish_version(engine, 2)
    assert current_pairs(engine) == [(2, 1), (1, 0)]
    promote(engine, 2)
    assert current_pairs(engine) == [(2, 1)]
    roll_back(engine)
    assert current_pairs(engine) == [(2, 1), (1, 0)]
    withdraw(engine, 2, "six fingers")
    assert current_pairs(engine) == [(1, 0)]


def test_a_comparison_knows_who_is_champion_and_what_was_decided(engine, publish_version):
    publish_version(engine, 1)
    found = compare_versions(engine, 1, 0)
    assert (found.is_challenge, found.is_old_live, found.is_live, found.decided) == (True, True, False, None)
    before = read_stamp(engine)
    promote(engine, 1, "I like it")
    assert read_stamp(engine) != before
    found = compare_versions(engine, 1, 0)
    assert (found.is_challenge, found.is_old_live, found.is_live) == (False, False, True)
    assert found.decided is not None
    assert found.decided.reason == "I like it"
    assert found.is_rated
    publish_version(engine, 2)
    assert [compare_versions(engine, *pair).is_rated for pair in ((2, 1), (1, 0))] == [True, False]
