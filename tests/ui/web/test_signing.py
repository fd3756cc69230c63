from ui.web.signing import is_signed, signature


def test_a_server_recognises_only_what_it_signed(settings):
    signed = signature(settings, "image 1")
    assert len(signed) == 32
    assert is_signed(settings, "image 1", signed)
    assert not is_signed(settings, "image 2", signed)
    assert not is_signed(settings, "image 1", signed[:-1] + ("0" if signed[-1] != "0" else "1"))
    assert not is_signed(settings, "image 1", "")


def test_another_secret_signs_differently_and_the_stores_own_lasts(settings):
    other = settings.model_copy(update={"secret": "a secret of more than thirty-two characters"})
    assert signature(settings, "image 1") == signature(settings, "image 1") != signature(other, "image 1")
