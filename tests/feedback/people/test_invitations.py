from datetime import timedelta

import pytest
from sqlalchemy import Engine

from feedback.people.decisions import role_of
from feedback.people.invitations import (
    InvitationState,
    invite,
    link_of,
    list_invitations,
    read_invitation,
    revoke_invitations,
    role_to_lose,
    state_of,
)
from feedback.rate.raters import rater_names
from store.errors import BadRequest, NotSignedIn
from store.secrets import sign
from store.settings import Settings
from store.tables import PersonRole, utc_now

SECRET = "a secret of more than thirty-two characters"
NOW = utc_now()


def test_a_link_lets_its_person_in_until_it_expires(any_engine: Engine):
    token = invite(any_engine, "ann", days=7, secret=SECRET)
    now = utc_now()  # NOW may be many minutes old when this runs
    assert read_invitation(any_engine, token, secret=SECRET, now=now + timedelta(days=6, hours=23)).name == "ann"
    with pytest.raises(NotSignedIn, match="expired"):
        read_invitation(any_engine, token, secret=SECRET, now=now + timedelta(days=7, minutes=5))


def test_a_revoked_link_lets_nobody_in(any_engine: Engine):
    tokens = [invite(any_engine, "ann", days=7, secret=SECRET) for _ in range(2)]
    other = invite(any_engine, "bob", days=7, secret=SECRET)
    assert revoke_invitations(any_engine, "ann", NOW) == 2
    for token in tokens:
        with pytest.raises(NotSignedIn, match="revoked"):
            read_invitation(any_engine, token, secret=SECRET, now=NOW)
    assert read_invitation(any_engine, other, secret=SECRET, now=NOW).name == "bob"
    assert [row.revoked_at is None for row in list_invitations(any_engine)] == [True, False, False]


def test_a_forged_link_lets_nobody_in(engine: Engine):
    token = invite(engine, "ann", days=7, secret=SECRET)
    invite(engine, "root", days=7, secret=SECRET, role=PersonRole.admin)
    number, signature = token.split(".")
    forged = [f"2.{signature}", f"{number}.", number, "", f"{number}.{'0' * 64}", f"9.{signature}", "é.é"]
    for one in forged:
        with pytest.raises(NotSignedIn):
            read_invitation(engine, one, secret=SECRET, now=NOW)
    with pytest.raises(NotSignedIn):
        read_invitation(engine, token, secret="another secret, just as long as the first", now=NOW)


def test_a_short_secret_signs_nothing(engine: Engine):
    for secret in ("", "x" * 31):
        with pytest.raises(BadRequest, match="NAYSAYER_SECRET"):
            invite(engine, "ann", days=7, secret=secret)
    assert list_invitations(engine) == []


def test_an_invitation_gives_its_role(engine: Engine):
    invite(engine, "cleo", days=1, secret=SECRET, role=PersonRole.curator)
    assert role_of(engine, "cleo") is PersonRole.curator


@pytest.mark.parametrize("days", [0, -1, 367])
def test_an_invitation_is_good_for_a_year_at_most(days: float, engine: Engine):
    with pytest.raises(BadRequest, match=f"up to 366 days; {days} were asked for"):
        invite(engine, "ann", days=days, secret=SECRET)
    assert list_invitations(engine) == []


def test_an_invitation_may_be_good_for_hours_or_a_whole_year(engine: Engine):
    invite(engine, "ann", days=0.5, secret=SECRET)
    invite(engine, "bob", days=366, secret=SECRET)
    newest, oldest = list_invitations(engine)
    assert (newest.expires_at - newest.created_at).total_seconds() == 366 * 86400
    assert (oldest.expires_at - oldest.created_at).total_seconds() == 43200
    assert oldest.role is PersonRole.rater


def test_an_invitation_ends_at_its_very_moment(engine: Engine):
    token = invite(engine, "ann", days=1, secret=SECRET)
    end = list_invitations(engine)[0].expires_at
    assert read_invitation(engine, token, secret=SECRET, now=end - timedelta(microseconds=1)).name == "ann"
    with pytest.raises(NotSignedIn, match="has expired"):
        read_invitation(engine, token, secret=SECRET, now=end)


def test_revoking_twice_or_for_nobody_revokes_nothing_more(engine: Engine):
    invite(engine, "ann", days=7, secret=SECRET)
    assert revoke_invitations(engine, "nobody") == 0
    assert revoke_invitations(engine, "ann", NOW) == 1
    assert revoke_invitations(engine, "ann", NOW + timedelta(days=1)) == 0
    assert list_invitations(engine)[0].revoked_at == NOW


def test_a_token_whose_invitation_is_gone_is_refused_like_a_forged_one(engine: Engine):
    invite(engine, "ann", days=7, secret=SECRET)
    forged = f"9.{sign(b'naysayer invitation 9', SECRET)}"
    with pytest.raises(NotSignedIn, match="not one of ours"):
        read_invitation(engine, forged, secret=SECRET, now=NOW)


def test_a_name_written_another_way_is_the_same_person(any_engine: Engine):
    invite(any_engine, "José", days=1, secret=SECRET, role=PersonRole.curator)
    invite(any_engine, "JOSE\u0301", days=1, secret=SECRET, role=PersonRole.admin)
    assert [row.name for row in list_invitations(any_engine)] == ["José", "José"]
    assert role_of(any_engine, "josé") is PersonRole.admin
    assert revoke_invitations(any_engine, "josé") == 2
    assert revoke_invitations(any_engine, "Jose") == 0
    assert rater_names(any_engine) == ["José"]


def test_an_invitation_is_good_until_it_expires_or_is_revoked(any_engine: Engine):
    invite(any_engine, "ann", days=1, secret=SECRET)
    [row] = list_invitations(any_engine)
    now = utc_now()
    assert state_of(row, now) is InvitationState.good
    assert state_of(row, now + timedelta(days=2)) is InvitationState.expired
    revoke_invitations(any_engine, "ann")
    [row] = list_invitations(any_engine)
    assert state_of(row, now + timedelta(days=2)) is InvitationState.revoked


def test_the_role_that_an_invitation_would_change_is_told_before(any_engine: Engine):
    assert role_to_lose(any_engine, "ann", PersonRole.rater) is None
    invite(any_engine, "ann", days=1, secret=SECRET, role=PersonRole.admin)
    assert role_to_lose(any_engine, "Ann ", PersonRole.rater) is PersonRole.admin
    assert role_to_lose(any_engine, "ann", PersonRole.admin) is None


def test_a_link_begins_with_the_address_that_people_open():
    assert link_of(Settings(_env_file=None), "1.ab") == "http://127.0.0.1:8501/naysayer/invited/1.ab"
    beyond = Settings(public_url="https://rate.example.org", _env_file=None)
    assert link_of(beyond, "1.ab") == "https://rate.example.org/naysayer/invited/1.ab"
