import pytest
from sqlalchemy import Engine, text

from feedback.people.decisions import give_role, rater_events, role_of
from feedback.people.tokens import PREFIX, Bearer, list_tokens, make_token, read_token, revoke_token
from store.errors import BadRequest, NotSignedIn
from store.tables import PersonRole

CURATOR, ADMIN, RATER = PersonRole.curator, PersonRole.admin, PersonRole.rater


def test_a_token_names_its_holder_until_it_is_revoked(any_engine: Engine):
    first, second = (make_token(any_engine, "ann", CURATOR) for _ in range(2))
    assert first != second
    assert read_token(any_engine, first) == read_token(any_engine, second) == Bearer("ann", CURATOR)
    [newest, oldest] = list_tokens(any_engine)
    assert revoke_token(any_engine, oldest.id).name == "ann"
    with pytest.raises(NotSignedIn, match="revoked"):
        read_token(any_engine, first)
    assert read_token(any_engine, second).name == "ann"
    with pytest.raises(BadRequest, match="revoked before"):
        revoke_token(any_engine, oldest.id)
    assert newest.id > oldest.id


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
