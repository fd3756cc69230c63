from feedback.people.invitations import invite, list_invitations, revoke_invitations, state_of
from store.settings import Settings
from store.tables import PersonRole
from tests.ui.dashboard.conftest import HOSTILE
from ui.dashboard.setup.invitations import Invited, closed_words
from ui.web.templates import render

SECRET = "a secret of more than thirty-two characters"


def test_without_a_secret_the_page_says_why_no_link_can_be_made():
    assert "NAYSAYER_SIGN_IN=invitations" in closed_words(Settings(_env_file=None))
    assert closed_words(Settings(secret=SECRET, _env_file=None)) == ""


def test_only_a_good_invitation_can_be_revoked_and_names_are_escaped(engine):
    invite(engine, "ann", days=1, secret=SECRET)
    revoke_invitations(engine, "ann")
    invite(engine, HOSTILE, days=1, secret=SECRET, role=PersonRole.curator)
    html = render("dashboard/setup/html/invitations.html", rows=list_invitations(engine), state_of=state_of)
    assert html.count("data-do") == 1
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html


def test_the_link_is_shown_with_the_name_and_the_role():
    invited = Invited(HOSTILE, PersonRole.curator, "http://127.0.0.1/naysayer/invited/1.ab")
    html = render("dashboard/setup/html/link.html", invited=invited, closed="")
    assert "as curator" in html
    assert 'value="http://127.0.0.1/naysayer/invited/1.ab"' in html
    assert "<img src=x" not in html
