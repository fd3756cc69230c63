"""What is said of Label Studio; the real one runs in `naysayer bench exchange`."""

import pytest

from bench.exchange.command import bench_exchange
from bench.exchange.label_studio import measure_label_studio, table
from store.errors import BadRequest, NaysayerError


def test_a_program_must_be_named_and_be_there(tmp_path):
    with pytest.raises(BadRequest, match="no program is named"):
        bench_exchange()
    with pytest.raises(NaysayerError, match="Label Studio's program was not found"):
        measure_label_studio(tmp_path / "none")


def test_what_came_back_is_said_for_each_kind():
    back = {"JSON": {"known": 16, "new": 0, "left_out": {}}, "JSON_MIN": {"known": 0, "new": 16, "left_out": {}}}
    said = table({"votes": 16, "tasks": 16, "annotations": 16, "pictures": 16, "back": back})
    assert "its JSON brings 16 of 16 votes back as what they are, 0 as new ones; its JSON_MIN brings 0" in said
