import re

import pytest

from store.errors import BadRequest
from store.settings import Settings
from store.settings.file import keep, read_data_dir, read_settings
from store.settings.sources import SETTINGS_FILE

WORDS_OF_PYDANTIC = r"nput|valid|parse|pattern|greater|less than|interpret|finite|instance|type=|\^\("
FIELDS = {
    str((field.annotation, sorted({type(limit).__name__ for limit in field.metadata}))): name
    for name, field in Settings.model_fields.items()
    if name != "data_dir"
}
"""One setting of each kind."""


def write_file(line: str) -> None:
    folder = read_data_dir()
    folder.mkdir(exist_ok=True)
    (folder / SETTINGS_FILE).write_text(line + "\n")


@pytest.mark.parametrize("value", ["gpu", "-1", "1e9", "1e400", "9.5", "12345678901234567890", "ja", "1,5"])
@pytest.mark.parametrize("name", FIELDS.values())
def test_every_refusal_is_in_words(name, value, shell):
    shell.setenv(f"NAYSAYER_{name.upper()}", value)
    try:
        read_settings()
    except BadRequest as error:
        assert not re.search(WORDS_OF_PYDANTIC, str(error))


@pytest.mark.parametrize("value", ["5", "nan", "true", "[1]", "{a = 1}", "2026-01-01", '"gpu"', "0.5", "-9e99"])
@pytest.mark.parametrize("name", FIELDS.values())
def test_every_refusal_of_a_value_in_the_file_is_in_words(name, value):
    write_file(f"{name} = {value}")
    try:
        read_settings()
    except BadRequest as error:
        assert not re.search(WORDS_OF_PYDANTIC, str(error))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("auto_retrain", "ja", r"it should be yes or no \(found 'ja'\)"),
        ("dtype", "float16", r"it should be auto, fp32, bf16 or fp16 \(found 'float16'\)"),
        ("promotion", "Gate", "it should be manual, gate or auto"),
        ("strength", "1,5", "it should be a number from 0 to 100, with a point instead of the comma"),
        ("refiner_start", "80%", "it should be a number, above 0, below 1"),
        ("retrain_after", "ten", "it should be a whole number from 1 to 1000000"),
        ("host", "localhost:8501", "without port"),
    ],
)
def test_a_refusal_says_what_is_taken(name, value, sentence, shell):
    shell.setenv(f"NAYSAYER_{name.upper()}", value)
    with pytest.raises(BadRequest, match=sentence):
        read_settings()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("NAYSAYER_OVERLAP = 2", r"write overlap instead"),
        ("OVERLAP = 2", r"write overlap instead"),
        ("[naysayer]\noverlap = 2", r"the section \[naysayer\]"),
        ("trigger = 5", "it should be a text"),
    ],
)
def test_a_line_spelt_as_elsewhere_is_answered_with_the_right_spelling(line, sentence):
    write_file(line)
    with pytest.raises(BadRequest, match=sentence):
        read_settings()


def test_a_folder_in_the_place_of_the_file_is_named():
    (read_data_dir() / SETTINGS_FILE).mkdir(parents=True)
    with pytest.raises(BadRequest, match="is no file"):
        read_settings()
    with pytest.raises(BadRequest, match=r"data/naysayer\.toml cannot be written \(Is a directory\)"):
        keep(read_data_dir(), "overlap", "2")
