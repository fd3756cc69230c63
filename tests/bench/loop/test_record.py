"""The file of the record."""

import json

from bench.loop.record import Record
from tests.bench.loop.conftest import MEASURED


def test_the_file_in_the_docs_is_read_and_written_without_loss(measured):
    text = (MEASURED / "evidence.json").read_text()
    assert json.loads(measured.to_json()) == json.loads(text)
    assert Record.model_validate_json(measured.to_json(indent=1)) == measured
