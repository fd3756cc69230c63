from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from feedback.gate.by_hand import list_objections, promote_by_hand
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import begin, champion, events, publish
from store.engine import writing
from store.errors import BadRequest
from store.files import sha256_of
from store.layout import Layout
from store.tables import Action, Verdict, Version

FILES = {"pytorch_lora_weights.safetensors": b"diffusers", "naysayer_kohya.safetensors": b"kohya"}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path / "files")


@pytest.fixture
def published(engine: Engine, layout: Layout, fill: Callable) -> Engine:
    """v0 is champion and v1 was published with both its files."""
    begin(engine, "builtin", "0" * 64)
    diffusers, kohya = (sha256_of(body) for body in FILES.values())
    row = Version(
        number=1, base_model="builtin", base_sha256="0" * 64, sha256=diffusers, kohya_sha256=kohya, rule="negative-half"
    )
    with writing(engine) as session:
        publish(session, row, "trained")
    layout.version_folder(diffusers).mkdir(parents=True)
    for name, body in FILES.items():
        (layout.version_folder(diffusers) / name).write_bytes(body)
    return engine


def spoil(layout: Layout) -> None:
    (layout.version_folder(sha256_of(b"diffusers")) / "naysayer_kohya.safetensors").write_bytes(b"changed")


def test_nothing_speaks_against_whole_files_without_votes(published: Engine, layout: Layout) -> None:
    assert list_objections(published, layout, 1) == []
    promote_by_hand(published, layout, 1, "I like it")
    assert champion(published).number == 1


def test_a_changed_file_is_an_objection(published: Engine, layout: Layout) -> None:
    spoil(layout)
    [sentence] = list_objections(published, layout, 1)
    assert "naysayer_kohya.safetensors is not the file that was published" in sentence
    with pytest.raises(BadRequest, match="force it with a reason"):
        promote_by_hand(published, layout, 1, "I like it")
    assert champion(published).number == 0


def test_a_forced_promotion_needs_a_reason_and_records_the_objection(published: Engine, layout: Layout) -> None:
    spoil(layout)
    with pytest.raises(BadRequest, match="needs a reason"):
        promote_by_hand(published, layout, 1, "", force=True)
    promote_by_hand(published, layout, 1, "a demonstration", force=True)
    [event] = [event for event in events(published) if event.action is Action.promote]
    assert event.reason.startswith("a demonstration (forced: naysayer_kohya.safetensors is not")


def test_sampled_pictures_that_are_rejected_more_often_forbid_a_promotion(
    published: Engine, layout: Layout, fill: Callable
) -> None:
    promote_by_hand(published, layout, 1, "I like it")
    base = set(fill(published, images=30, version=0))
    fill(published, images=30, version=1)
    shown = next_images(published, "ann", Terms(1, 60), count=60)
    presses = [
        Press(f"p{one.image_id}", one.image_id, Verdict.reject if one.image_id in base else Verdict.keep)
        for one in shown
    ]
    assert not any(receipt.refused for receipt in record_votes(published, "ann", presses, Terms(1, 60)))
    with pytest.raises(BadRequest, match="100 % of 30, the champion's 0 % of 30"):
        promote_by_hand(published, layout, 0, "back to the start")
    promote_by_hand(published, layout, 0, "a demonstration", force=True)
    assert list_objections(published, layout, 1) == []
