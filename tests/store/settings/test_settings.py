"""Settings of sign-in and secrets."""

import pytest
from pydantic import ValidationError

from store.errors import BadRequest
from store.settings import Settings
from store.settings.file import read_settings

SECRET = "a secret of more than thirty-two characters"
PUBLIC = {"sign_in": "invitations", "secret": SECRET, "public_url": "https://rate.example.org", "host": "0.0.0.0"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "8.8.8.8"])
def test_a_public_address_without_sign_in_is_refused_in_a_sentence(host, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_HOST", host)
    with pytest.raises(BadRequest, match=r"anybody could vote under any name; set NAYSAYER_SIGN_IN"):
        read_settings()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"secret": ""}, "32 or more"),
        ({"secret": "x" * 31}, "32 or more"),
        ({"public_url": ""}, "NAYSAYER_PUBLIC_URL"),
        ({"public_url": "rate.example.org"}, "public_url\n.* no web address"),
        ({"sign_in": "oidc"}, "NAYSAYER_OIDC_CLIENT_ID"),
    ],
)
def test_sign_in_needs_a_secret_and_an_address(change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Settings(**(PUBLIC | change), _env_file=None)


def test_no_secret_has_a_default_or_is_shown():
    assert Settings(_env_file=None).secret == Settings(_env_file=None).oidc_client_secret == ""
    assert SECRET not in repr(Settings(**PUBLIC, _env_file=None))
