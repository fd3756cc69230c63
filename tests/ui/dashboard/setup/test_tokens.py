from feedback.people.decisions import give_role
from feedback.people.tokens import list_tokens, make_token, read_token, revoke_token
from store.tables import PersonRole
from tests.ui.dashboard.conftest import HOSTILE
from ui.dashboard.setup.tokens import Made, counts
from ui.web.templates import render
from ui.words import token_table


def test_only_a_good_token_can_be_revoked_and_names_are_escaped(engine):
    make_token(engine, "ann", PersonRole.rater)
    revoke_token(engine, 1)
    make_token(engine, HOSTILE, PersonRole.curator)
    html = render("dashboard/setup/html/tokens.html", rows=list_tokens(engine))
    assert html.count("data-do") == 1
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html
    assert counts(list_tokens(engine)) == ["1 token good", "1 of them never used", "1 revoked"]


def test_a_token_is_shown_once_and_never_in_the_list(engine):
    token = make_token(engine, "ann", PersonRole.rater)
    assert f'value="{token}"' in render("dashboard/setup/html/token.html", made=Made("ann", PersonRole.rater, token))
    assert token not in render("dashboard/setup/html/tokens.html", rows=list_tokens(engine))


def test_the_list_says_who_used_a_token_and_what_a_demoted_person_s_allows(engine):
    read_token(engine, make_token(engine, "ann", PersonRole.admin))
    make_token(engine, "bo", PersonRole.rater)
    give_role(engine, "ann", PersonRole.curator, by="root")
    html = render("dashboard/setup/html/tokens.html", rows=list_tokens(engine))
    assert html.count("never used") == 1
    assert html.count("last used") == 1
    assert "It allows only what a curator may: ann is curator now." in html
    [bo, ann] = token_table(list_tokens(engine)).splitlines()
    assert bo.endswith(", never used")
    assert "last used" in ann
    assert ann.endswith("allows curator only: ann has that role")
