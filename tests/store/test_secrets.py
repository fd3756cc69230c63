import hashlib
import hmac
import threading

import pytest

from store.secrets import MIN_LENGTH, find_fault, is_signed, read_or_make_secret, sign

SECRET = "s" * MIN_LENGTH


def test_a_signature_is_the_hmac_sha256_of_the_message():
    assert sign(b"words", SECRET) == hmac.new(SECRET.encode(), b"words", hashlib.sha256).hexdigest()
    assert sign(b"words", SECRET, 32) == sign(b"words", SECRET)[:32]


@pytest.mark.parametrize("digits", [32, 64])
def test_only_the_same_message_under_the_same_secret_is_signed(digits):
    given = sign(b"words", SECRET, digits)
    assert is_signed(b"words", SECRET, given, digits)
    assert not is_signed(b"other words", SECRET, given, digits)
    assert not is_signed(b"words", SECRET + "x", given, digits)
    for claimed in ("", given[:-1], given.upper() + "0", "ä" * digits):
        assert not is_signed(b"words", SECRET, claimed, digits)


def test_a_short_secret_is_a_fault_with_its_setting_and_length():
    assert find_fault("NAYSAYER_SECRET", SECRET) == ""
    assert find_fault("NAYSAYER_SECRET", SECRET[1:]).startswith("NAYSAYER_SECRET has 31 characters, 32 or more")


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "new" / "key"
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(read_or_make_secret(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*found, read_or_make_secret(path)} == {path.read_text()}
    assert len(path.read_text()) == 64
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_secret_cut_short_by_a_crash_is_made_again(tmp_path):
    (tmp_path / "key").write_text("abc")
    assert len(read_or_make_secret(tmp_path / "key")) == 64
