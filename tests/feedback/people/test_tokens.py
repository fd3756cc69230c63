from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from feedback.people.decisions import give_role, rater_events, role_of
from feedback.people.tokens import (
    NOTED_EVERY,
    PREFIX,
    Bearer,
    list_tokens,
    make_token,
    read_token,
    revoke_token,
    role_to_gain,
)
from store.engine import writing
from store.errors import BadRequest, NotSignedIn
from store.tables import PersonRole, Token

CURATOR, ADMIN, RATER = PersonRole.curator, PersonRole.admin, PersonRole.rater


def test_a_token_names_its_holder_until_it_is_revoked(any_engine: Engine):
    first, second = (make_token(any_engine, "ann", CURATOR) for _ in range(2))
    assert first != second
    assert read_token(any_engine, first) == read_token(any_engine, second) == Bearer("ann", CURATOR)
    [newest, oldest] = list_tokens(any_engine)
    assert revoke_token(any_engine, oldest.token.id).name == "ann"
    with pytest.raises(NotSignedIn, match="revoked"):
        read_token(any_engine, first)
    assert read_token(any_engine, second).name == "ann"
    with pytest.raises(BadRequest, match="revoked before"):
        revoke_token(any_engine, oldest.token.id)
    assert newest.token.id > oldest.token.id


@pytest.mark.parametrize("number", [0, -1, 7, 10**40])
def test_only_a_token_that_there_is_is_revoked(any_engine: Engine, number: int):
    with pytest.raises(BadRequest, match="no token"):
        revoke_token(any_engine, number)


@pytest.mark.parametrize("wrong", ["", "x", PREFIX, "a\x00b", "\udcff", "x" * 10**6])
def test_an_unknown_token_names_nobody(engine: Engine, wrong: str):
    token = make_token(engine, "ann", ADMIN)
    for forged in (wrong, token[:-1], token + "x", token.upper(), f" {token}"):
        with pytest.raises(NotSignedIn, match="not one of ours") as refused:
            read_token(engine, forged)
        assert len(forged) < 8 or forged not in str(refused.value)


def test_the_store_holds_no_token(engine: Engine):
    token = make_token(engine, "ann", ADMIN)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM token")).all()
    assert len(rows) == 1
    assert token not in str(rows)
    assert token.removeprefix(PREFIX) not in str(rows)


def test_a_token_allows_no_more_than_its_role_and_its_person(engine: Engine):
    admin = make_token(engine, "ann", ADMIN)
    assert role_of(engine, "ann") is ADMIN
    [(name, event)] = rater_events(engine)
    assert (name, event.reason) == ("ann", "has a token as admin")
    rater = make_token(engine, "Ann", RATER)
    assert (role_of(engine, "ann"), read_token(engine, rater)) == (ADMIN, Bearer("ann", RATER))
    give_role(engine, "ann", CURATOR, by="root")
    assert read_token(engine, admin) == Bearer("ann", CURATOR)
    assert read_token(engine, rater) == Bearer("ann", RATER)
    assert [(row.role, allows) for row, allows in list_tokens(engine)] == [(RATER, RATER), (ADMIN, CURATOR)]


def test_only_a_known_person_with_fewer_powers_gains_a_role(engine: Engine):
    make_token(engine, "ann", CURATOR, by="root")
    assert [event.by for _, event in rater_events(engine)] == ["root"]
    assert [role_to_gain(engine, "Ann", role) for role in (RATER, CURATOR, ADMIN)] == [None, None, CURATOR]
    assert role_to_gain(engine, "nobody yet", ADMIN) is None


def test_the_last_use_is_noted_to_the_minute(any_engine: Engine):
    used, unused = (make_token(any_engine, name, RATER) for name in ("ann", "bo"))

    def last_uses() -> list:
        return [row.used_at for row, _ in list_tokens(any_engine)]

    assert last_uses() == [None, None]
    read_token(any_engine, used)
    [none, first] = last_uses()
    assert none is None
    assert first is not None
    read_token(any_engine, used)
    assert last_uses() == [None, first]  # a second use within the minute writes nothing
    with writing(any_engine) as session:
        session.get_one(Token, list_tokens(any_engine)[1].token.id).used_at = first - NOTED_EVERY - timedelta(seconds=1)
    read_token(any_engine, used)
    assert last_uses()[1] >= first
    revoke_token(any_engine, 2)
    with pytest.raises(NotSignedIn):
        read_token(any_engine, unused)
    assert last_uses()[0] is None  # a refused request is no use
