import unicodedata

import pytest

from store.texts import find_control, name_key, on_one_line, with_single_spaces


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a  red cup ", "a  red cup "),
        ("\ufeffa cup\u200b", "a cup"),
        ("a red fox\r\nin the snow\n", "a red fox in the snow"),
        ("a fox\u2028in\u2029the\x85snow\vand\fice", "a fox in the snow and ice"),
        ("\ta  cup", "a  cup"),
        ("Jose\u0301", "José"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_a_text_stays_as_it_was_written_but_for_line_breaks_and_accents_form(written: str, kept: str) -> None:
    assert on_one_line(written) == kept


def test_spaces_do_not_make_another_text() -> None:
    assert len({with_single_spaces(text) for text in ("a cup", " a  cup", "a\tcup ", "a\u00a0cup", "a\u3000cup")}) == 1


@pytest.mark.parametrize(
    "text", ["گربه\u200cی", "क\u094d\u200dष", "\u202eabc", "light\u00adhouse", "\ue000", "\U0001fae9", "\u0378"]
)
def test_format_private_and_new_characters_are_text(text: str) -> None:
    assert find_control(text) == ""


@pytest.mark.parametrize(
    ("text", "name"), [("a\0b", "U+0000"), ("a\x1cb", "U+001C"), ("\ud800", "U+D800"), ("\x9f", "U+009F")]
)
def test_controls_and_half_surrogates_are_found(text: str, name: str) -> None:
    assert find_control(text) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José", unicodedata.normalize("NFD", "José")),
        ("Ada", "ada"),
        ("Ada  Lovelace", "ADA LOVELACE"),
        ("Straße", "STRASSE"),
        ("Ａｄａ", "ada"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("Ali\u200cReza", "AliReza"),
        ("Ada\ufe0f", "Ada"),
        ("Ada\u00a0L", "ada l"),
        ("\u03b0", "\u03c5\u0308\u0301"),
        ("İda", "i\u0307da"),
        ("ﬁn", "FIN"),
    ],
)
def test_one_person_has_one_key_however_the_name_is_written(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)
    assert name_key(name_key(one)) == name_key(one)


@pytest.mark.parametrize(("one", "other"), [("Ada", "Аda"), ("Jose", "José"), ("Ada L", "AdaL"), ("I", "ı")])
def test_two_people_have_two_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
