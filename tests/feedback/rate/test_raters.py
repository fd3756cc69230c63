import pytest
from sqlalchemy import Engine, func
from sqlmodel import select

from feedback.rate.raters import MAX_NAME, clean_name, rater_id, rater_names
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Rater


def test_a_name_is_one_rater_however_it_is_spaced(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        assert rater_id(session, "Ann Lee") == rater_id(session, "  Ann \t Lee ")
        assert rater_id(session, "Bob") != rater_id(session, "Ann Lee")
    with reading(any_engine) as session:
        assert session.exec(select(func.count()).select_from(Rater)).one() == 2


@pytest.mark.parametrize(
    ("one", "other"), [("José", "Jose\u0301"), ("Ada", "ada"), ("Ali\u200cReza", "alireza"), ("Ｂｏｂ", "bob")]
)
def test_one_person_is_one_rater_and_keeps_the_name_that_came_first(one: str, other: str, any_engine: Engine) -> None:
    with writing(any_engine) as session:
        assert rater_id(session, one) == rater_id(session, other)
    assert rater_names(any_engine) == [one]


@pytest.mark.parametrize("name", ["", "   ", "x" * (MAX_NAME + 1), "\u200b", "\u200d\ufe0f", "\u3164"])
def test_a_name_has_something_to_see(name: str) -> None:
    with pytest.raises(BadRequest, match=f"1 to {MAX_NAME} visible characters"):
        clean_name(name)


@pytest.mark.parametrize("name", ["a\0b", "a\x1bb", "a\x1fb", "ann\x9b", "\ud800"])
def test_a_name_with_a_control_character_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match=r"holds U\+"):
        clean_name(name)


@pytest.mark.parametrize(
    "name", ["x" * MAX_NAME, "星", "O'Brien; DROP TABLE rater", "<b>ann</b>", "../ann", "Ali\u200cReza", "🫩"]
)
def test_a_name_is_kept_as_it_was_given(name: str, any_engine: Engine) -> None:
    with writing(any_engine) as session:
        rater_id(session, name)
    with reading(any_engine) as session:
        assert session.exec(select(Rater.name)).one() == name
