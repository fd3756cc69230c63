"""Another strength of a version becomes a separate challenger, and that alone calls nothing better."""

import json
import struct

import pytest
from sqlmodel import select

from feedback.gate.evidence import failed_checks
from feedback.gate.proposal import propose_strength, with_strength
from feedback.pool.tally import new_rejects
from feedback.succession import compared, newest_trained
from feedback.versions import champion, events, get_version, promote
from store.engine import reading
from store.errors import BadRequest, Busy, DamagedStore
from store.files import sha256_of
from store.layout import layout_of
from store.tables import Action


def safetensors(name: str) -> bytes:
    header = {"__metadata__": {"naysayer.strength": "4"}, name: {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"abc"


FILES = {"pytorch_lora_weights.safetensors": safetensors("a"), "naysayer_kohya.safetensors": safetensors("b")}


@pytest.fixture
def published(settings, engine, publish_version):
    """v1 with its files, champion at strength 4."""
    hashes = [sha256_of(data) for data in FILES.values()]
    folder = layout_of(settings).version_folder(hashes[0])
    folder.mkdir(parents=True)
    for name, data in (FILES | {"check.json": b"{}"}).items():
        (folder / name).write_bytes(data)
    publish_version(
        engine, 1, sha256=hashes[0], kohya_sha256=hashes[1], rule="same-prompt", strength=4.0, settings={"a": 1}
    )
    promote(engine, 1)
    return layout_of(settings)


def propose(engine, layout, strength: float, number: int = 1, reason: str = "less colour") -> int:
    return propose_strength(engine, layout, number, strength, reason)


def test_a_proposed_strength_is_a_challenger_with_the_same_tensors_and_whole_files(engine, published):
    made = get_version(engine, propose(engine, published, 2.5))
    assert (made.number, made.parent, made.strength, made.strength_of, made.settings) == (2, 1, 2.5, 1, {"a": 1})
    folder = published.version_folder(made.sha256)
    assert {path.name for path in folder.iterdir()} == {*FILES, "check.json"}
    assert all((folder / name).read_bytes()[-3:] == b"abc" for name in FILES)
    assert failed_checks(published, made) == []


def test_nothing_is_promoted_by_it_and_the_history_says_why(engine, published):
    propose(engine, published, 2.5)
    assert champion(engine).number == 1
    with reading(engine) as session:
        assert compared(session)[:2] == (2, 1)
    event = events(engine)[0]
    assert (event.action, event.to_version) == (Action.publish, 2)
    assert event.reason == "v1 at strength 2.5 instead of 4: less colour"


def test_one_lora_has_each_strength_once(engine, published):
    propose(engine, published, 2.5)
    for number, strength, already in ((1, 4.0, 1), (1, 2.5, 2), (2, 4.0, 1)):
        with pytest.raises(BadRequest, match=f"v{already} draws at strength {strength:g} already"):
            propose(engine, published, strength, number)
    third = get_version(engine, propose(engine, published, 3.0, number=2))
    assert (third.parent, third.strength_of) == (2, 1)


def test_the_count_of_new_rejects_does_not_start_again(engine, published, fill, publish_version):
    """What is new is new since the newest training, whatever was proposed after it."""
    with reading(engine) as session:
        before = new_rejects(session)
    propose(engine, published, 2.5)
    with reading(engine) as session:
        assert new_rejects(session) == before
        assert session.exec(select(newest_trained())).one() == 1


@pytest.mark.parametrize(
    ("number", "strength", "reason", "said"),
    [
        (0, 2.0, "x", "plain base"),
        (1, 0.0, "x", "above 0"),
        (1, float("nan"), "x", "above 0"),
        (1, 99.0, "x", "at most 20"),
        (1, 2.0, " ", "say why"),
    ],
)
def test_what_cannot_be_proposed_is_said_and_changes_nothing(engine, published, number, strength, reason, said):
    with pytest.raises(BadRequest, match=said):
        propose(engine, published, strength, number, reason)
    assert len(events(engine)) == 3


def test_an_altered_file_is_not_used(engine, published):
    sha256 = get_version(engine, 1).sha256
    (published.version_folder(sha256) / "naysayer_kohya.safetensors").write_bytes(b"altered")
    with pytest.raises(DamagedStore, match="not the file that was published"):
        propose(engine, published, 2.0)


def test_a_running_retrain_is_waited_for(engine, published, hold_retrain_lock):
    with hold_retrain_lock(engine), pytest.raises(Busy, match="retrain runs"):
        propose(engine, published, 2.0)


def test_only_the_header_of_a_file_changes():
    changed = with_strength(FILES["naysayer_kohya.safetensors"], 2.5)
    (size,) = struct.unpack_from("<Q", changed)
    header = json.loads(changed[8 : 8 + size])
    assert header["__metadata__"] == {"naysayer.strength": "2.5"}
    assert (size % 8, changed[8 + size :]) == (0, b"abc")
    assert header["b"]["data_offsets"] == [0, 3]
