"""Two stores become one: nobody's votes are lost, none counts twice, and this store's decisions stand."""

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.exchange.stores import merge as merge_module
from feedback.exchange.stores.merge import merge
from feedback.figures.summary import version_rows
from feedback.pool.counts import count_pool
from feedback.pool.tally import differences
from feedback.retrain.lineage import trained_on
from feedback.retrain.manifest import load_manifest
from feedback.runs import newest_run
from feedback.versions import champion, events, get_version, roll_back
from feedback.webhook import announce
from store.engine import reading, writing
from store.errors import BadRequest, Busy
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import CurrentVote, Image, Prompt, Rater, Role, Verdict, Version, Vote
from tests.feedback.exchange.stores.stored import PAIRS, at, count_all, figures, fill_store, raw_rows
from tests.feedback.rating import rate

LORA = b"a LoRA of the other store"


@pytest.fixture
def other(tmp_path: Path) -> Settings:
    """The settings of another store."""
    return Settings(data_dir=tmp_path / "other", _env_file=None)


@pytest.fixture
def theirs(other: Settings) -> Iterator[Engine]:
    """Another store, full, of the same base."""
    engine = open_store(other)
    fill_store(engine, "other", 30, 90, raters=4)
    yield engine
    engine.dispose()


@pytest.fixture
def ours(any_settings: Settings) -> Iterator[Engine]:
    """This store, full, in each kind of database."""
    engine = open_store(any_settings)
    fill_store(engine, "one", 24, 60)
    yield engine
    engine.dispose()


def votes_by_person(engine: Engine) -> dict[str, tuple[str, str, str]]:
    """Who said what of which picture, by the press."""
    with reading(engine) as session:
        rows = session.exec(
            select(Vote.request_id, Rater.name, Image.sha256, Vote.verdict, Prompt.text, Vote.received_at)
            .join(Rater, Rater.id == Vote.rater_id).join(Image, Image.id == Vote.image_id)
            .join(Prompt, Prompt.id == Image.prompt_id)
        )  # fmt: skip
        return {row[0]: (*row[1:5], row[5].replace(tzinfo=None)) for row in rows}


def own_rates(engine: Engine, numbers: dict[int, int]) -> list[tuple]:
    """What the pages say of versions, under other numbers."""
    rows = {row.number: row for row in version_rows(engine)}
    with reading(engine) as session:
        pools = {old: count_pool(session, old) for old in numbers}
    told = []
    for old, new in numbers.items():
        told.append((pools[old], replace(rows[old], number=new, aliases=())))
    return told


def lineage_of(engine: Engine, number: int) -> list[tuple]:
    version = get_version(engine, number)
    return [
        (item.sha256, item.prompt, item.seed, role)
        for role in (Role.reject, Role.keep)
        for item in trained_on(engine, version, role, 100)
    ]


def test_everybody_s_votes_and_pictures_are_there_once(any_settings, ours, theirs, other):
    before = votes_by_person(ours)
    merged = merge(any_settings, other.data_dir)
    assert (merged.replaced, merged.lost) == (0, 2 * 30 + 2)  # pictures and versions of this test have no files
    assert votes_by_person(ours) == before | votes_by_person(theirs)
    with reading(ours) as session:
        names = session.exec(select(Rater.name)).all()
        drawn = session.exec(select(Image.sha256)).all()
    assert sorted(names) == ["Ada", "one 2", "one 3", "other 2", "other 3", "other 4"]
    assert len(drawn) == len(set(drawn)) == 24 + 30 - PAIRS  # the base's pairs are the same pictures


def test_versions_come_with_their_numbers_moved_on_and_every_figure_and_line_of_descent(
    any_settings, ours, theirs, other
):
    here = own_rates(ours, {1: 1, 2: 2})
    there = own_rates(theirs, {1: 3, 2: 4})
    stacks = [lineage_of(theirs, number) for number in (1, 2)]
    live = champion(ours).number
    merged = merge(any_settings, other.data_dir)
    assert merged.versions == {1: 3, 2: 4}
    assert own_rates(ours, {n: n for n in (1, 2, 3, 4)}) == here + there
    assert [lineage_of(ours, number) for number in (3, 4)] == stacks
    first, second = (get_version(ours, number) for number in (3, 4))
    assert (first.parent, second.parent, second.strength_of) == (0, 3, 3)
    assert second.check == get_version(theirs, 2).check
    assert second.settings == get_version(theirs, 2).settings
    assert champion(ours).number == live
    assert all(load_manifest(ours, row.manifest_id).items for row in (first, second))
    assert differences(ours) == []


def test_merging_again_adds_nothing(any_settings, ours, theirs, other):
    merge(any_settings, other.data_dir)
    before, told = count_all(ours), figures(ours)
    again = merge(any_settings, other.data_dir)
    assert not any(again.brought.values())
    assert again.versions == {}
    assert "nothing" in again.words
    assert count_all(ours) == before
    assert figures(ours) == told


def test_the_decisions_of_this_store_stay_and_its_rollback_goes_to_its_own_champion(any_settings, ours, theirs, other):
    retrain = newest_run(ours)
    merge(any_settings, other.data_dir)
    assert newest_run(ours).id == retrain.id
    assert roll_back(ours) == 0
    with reading(ours) as session:
        roles = dict(session.exec(select(Rater.name, Rater.role)).all())
        excluded = session.exec(select(Rater.name).where(Rater.is_excluded)).all()
    assert {name for name, role in roles.items() if role == "admin"} == {"Ada"}
    assert sorted(excluded) == ["one 2", "other 2"]


def test_the_webhook_tells_nothing_of_what_happened_in_the_other_store(settings, engine, theirs, other):
    fill_store(engine, "one", 24, 60)
    hooked = settings.model_copy(update={"webhook_url": "https://hooks.example.org/x"})
    told: list[bytes] = []

    def send(_url: str, body: bytes, _headers: dict[str, str]) -> None:
        told.append(body)

    merge(settings, other.data_dir)
    assert announce(engine, hooked, send) == len(told) > 0
    assert b"other" not in b"".join(told)
    assert any(event.reason == "made by other" for event in events(engine))


def test_people_go_on_after_a_merge(any_settings, ours, theirs, other, fill, publish_version):
    merge(any_settings, other.data_dir)
    before = count_all(ours)
    [image, *_] = fill(ours, images=3, version=1)
    rate(ours, "Zoe", {image: Verdict.reject})
    publish_version(ours, 5)
    merge(any_settings, other.data_dir)
    now = count_all(ours)
    assert [now[name] - before[name] for name in ("image", "vote", "rater", "version")] == [3, 1, 1, 1]


@pytest.mark.postgres
def test_a_store_in_postgresql_is_merged_into_one_in_sqlite(settings, engine, postgres_url, tmp_path):
    fill_store(engine, "one", 24, 60)
    server = Settings(data_dir=tmp_path / "other", store_url=postgres_url, _env_file=None)
    theirs = open_store(server)
    fill_store(theirs, "other", 30, 90, raters=4)
    before = votes_by_person(engine) | votes_by_person(theirs)
    theirs.dispose()
    merge(settings, server.data_dir, postgres_url)
    assert votes_by_person(engine) == before


def test_stores_that_were_one_and_went_on_apart_become_one(settings, engine, other):
    fill_store(engine, "one", 24, 60)
    engine.dispose()
    shutil.copytree(settings.data_dir, other.data_dir)
    apart = open_store(other)
    change(apart, "there first", 9, Verdict.reject, 500)
    change(engine, "here later", 9, Verdict.keep, 600)
    change(engine, "here first", 10, Verdict.keep, 500)
    change(apart, "there later", 10, Verdict.reject, 600)
    before = count_all(engine)
    apart.dispose()
    merged = merge(settings, other.data_dir)
    assert (merged.replaced, merged.brought["vote"], merged.brought["image"]) == (1, 1, 0)
    with reading(engine) as session:
        said = {image: session.get_one(CurrentVote, (image, 1)).verdict for image in (9, 10)}
    assert said == {9: Verdict.keep, 10: Verdict.reject}
    now = count_all(engine)
    assert {name for name in now if now[name] != before[name]} == {"vote"}


def change(engine: Engine, request: str, image: int, verdict: Verdict, second: int) -> None:
    with writing(engine) as session:
        session.add(Vote(request_id=request, rater_id=1, image_id=image, verdict=verdict, received_at=at(second)))


def test_files_come_along_and_what_is_lost_there_is_counted(settings, engine, theirs, other):
    fill_store(engine, "one", 24, 60)
    here, there = layout_of(settings), layout_of(other)
    picture = there.blobs.put(b"a picture of the other store")
    folder = there.version_folder(sha256_of(LORA))
    folder.mkdir(parents=True)
    (folder / "lora.safetensors").write_bytes(LORA)
    with writing(theirs) as session:
        session.get_one(Image, 20).sha256 = picture
        session.get_one(Image, 21).sha256 = there.blobs.put(b"altered later")
        session.get_one(Version, 2).sha256 = sha256_of(LORA)
    there.blobs.path(sha256_of(b"altered later")).write_bytes(b"something else")
    theirs.dispose()
    merged = merge(settings, other.data_dir)
    assert merged.lost == 2 * 30 - 1 + 1
    assert f"{merged.lost} files lost" in merged.words
    assert here.blobs.get(picture) == b"a picture of the other store"
    assert (here.version_folder(sha256_of(LORA)) / "lora.safetensors").read_bytes() == LORA
    assert get_version(engine, 4).sha256 == sha256_of(LORA)


def refused(settings: Settings, engine: Engine, folder: Path, kind: type[Exception], sentence: str) -> None:
    before = raw_rows(engine)
    with pytest.raises(kind, match=sentence):
        merge(settings, folder)
    assert raw_rows(engine) == before


def test_what_cannot_be_merged_is_refused_with_nothing_changed(
    settings, engine, theirs, other, tmp_path, hold_worker_lock, hold_retrain_lock
):
    fill_store(engine, "one", 24, 60)
    with hold_worker_lock(theirs):
        refused(settings, engine, other.data_dir, Busy, "a worker of the store in .*other")
    with hold_retrain_lock(engine):
        refused(settings, engine, other.data_dir, Busy, "a retrain of the store in .*data")
    with writing(theirs) as session:
        session.get_one(Version, 0).base_sha256 = "1" * 64
    theirs.dispose()
    refused(
        settings, engine, other.data_dir, BadRequest, "begun with the base model builtin .* only stores of one base"
    )
    refused(settings, engine, settings.data_dir, BadRequest, "is this store itself")
    refused(settings, engine, tmp_path / "nowhere", BadRequest, "there is no folder")
    (tmp_path / "empty").mkdir()
    refused(settings, engine, tmp_path / "empty", BadRequest, "never started")


def merged_until_killed(settings: Settings, folder: Path, rows: int) -> None:
    calls = iter(range(rows))

    def kill(_bar: object, _rows: int = 1) -> None:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    merge_module.tqdm.update = kill
    merge(settings, folder)


@pytest.mark.parametrize("rows", [5, 40, 55])
def test_a_killed_merge_leaves_both_stores_and_begins_again(settings, engine, theirs, other, exit_code_of, rows):
    fill_store(engine, "one", 24, 60)
    before, there = raw_rows(engine), raw_rows(theirs)
    engine.dispose()
    theirs.dispose()
    assert exit_code_of(merged_until_killed, settings, other.data_dir, rows) == -signal.SIGKILL
    assert raw_rows(engine) == before
    assert merge(settings, other.data_dir).brought["vote"] == 90
    assert raw_rows(theirs) == there
