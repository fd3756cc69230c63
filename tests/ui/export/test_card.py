import pytest

from feedback.versions import get_version
from ui.export.card import Change, changes, facts, model_card


@pytest.fixture
def versions(engine, publish_version):
    """v1 and, made from it, v2: they differ in a setting, the strength and a library."""
    settings = {"rule": "same-prompt", "strength": None, "lora_rank": 4}
    publish_version(engine, 1, manifest_id=None, rule="same-prompt", strength=4.0, settings=settings)
    publish_version(
        engine,
        2,
        parent=1,
        rule="same-prompt",
        strength=6.0,
        settings=settings | {"lora_rank": 8},
        libraries={"torch": "2"},
    )
    return get_version(engine, 1), get_version(engine, 2)


def test_each_fact_stands_once_and_the_strength_is_the_one_it_draws_with(versions):
    names = [fact.name for fact in facts(versions[0])]
    assert len(names) == len(set(names))
    assert ("strength", "4.0") in facts(versions[0])


def test_a_parent_that_was_not_trained_has_nothing_to_compare_with(versions):
    assert changes(versions[1], versions[0]) == changes(versions[1], None) == []


def test_what_changed_since_the_parent_is_told_and_nothing_else(versions):
    first, second = versions
    first.manifest_id = "0" * 64
    assert set(changes(second, first)) == {
        Change("lora_rank", "4", "8"),
        Change("strength", "4.0", "6.0"),
        Change("torch, library", "–", "2"),
    }


def test_no_value_breaks_out_of_the_cards_table(engine, publish_version):
    publish_version(engine, 1, settings={"note": "a | b\n`c`"})
    [row] = [line for line in model_card(get_version(engine, 1)).splitlines() if line.startswith("| note")]
    assert row.count("|") == 3
    assert row.count("`") == 2


def test_an_imported_version_says_where_it_is_from(engine, publish_version):
    publish_version(engine, 1, settings={"imported_from": "somebody/lora"})
    assert "imported from `somebody/lora`" in model_card(get_version(engine, 1))
