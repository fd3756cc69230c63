"""Moving a store to another database changes nothing that anybody can see."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from feedback.exchange.stores import move as move_module
from feedback.exchange.stores.move import move
from store.engine import writing
from store.errors import BadRequest, Busy, StoreError
from store.migrate import open_store
from store.settings import Settings
from store.tables import Verdict, Vote
from tests.feedback.exchange.stores.stored import count_all, figures, fill_store, raw_rows
from tests.feedback.rating import rate


@pytest.fixture
def opened() -> Iterator:
    """A function that opens a store until the test ends."""
    engines: list[Engine] = []

    def opened(settings: Settings) -> Engine:
        engines.append(open_store(settings))
        return engines[-1]

    yield opened
    for engine in engines:
        engine.dispose()


def at_url(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"store_url": url})


def back_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'back.db'}"


@pytest.mark.postgres
def test_every_table_and_figure_is_the_same_in_postgresql_and_back(settings, engine, postgres_url, tmp_path, opened):
    fill_store(engine, "one", 24, 60)
    before, counts = figures(engine), count_all(engine)
    assert min(counts.values()) > 0
    moved = move(settings, postgres_url)
    there = opened(at_url(settings, postgres_url))
    assert figures(there) == before
    assert count_all(there) == counts == moved.rows
    move(at_url(settings, postgres_url), back_in(tmp_path))
    back = opened(at_url(settings, back_in(tmp_path)))
    assert figures(back) == before
    assert raw_rows(back) == raw_rows(engine)


@pytest.mark.postgres
def test_people_go_on_voting_and_a_retrain_gets_the_next_number_after_a_move(
    settings, engine, postgres_url, opened, fill, publish_version
):
    fill_store(engine, "one", 24, 60)
    move(settings, postgres_url)
    there = opened(at_url(settings, postgres_url))
    known = count_all(there)
    [image, *_] = fill(there, images=3, version=1)
    rate(there, "Zoe", {image: Verdict.reject})
    publish_version(there, 3)
    now = count_all(there)
    assert {name: now[name] - known[name] for name in ("image", "vote", "rater", "version", "alias_event")} == {
        "image": 3, "vote": 1, "rater": 1, "version": 1, "alias_event": 1
    }  # fmt: skip
    assert figures(there)["standing"] != figures(engine)["standing"]


@pytest.mark.postgres
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_a_server_in_another_zone_keeps_every_time(settings, engine, postgres_url, tmp_path, zone, opened):
    fill_store(engine, "one", 24, 60)
    with engine.begin() as connection:  # an hour that Berlin has twice
        connection.exec_driver_sql("UPDATE vote SET received_at = '2026-10-25 00:30:00.000001' WHERE id = 1")
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {make_url(postgres_url).database} SET TIME ZONE '{zone}'"))
    server.dispose()
    move(settings, postgres_url)
    move(at_url(settings, postgres_url), back_in(tmp_path))
    assert raw_rows(opened(at_url(settings, back_in(tmp_path)))) == raw_rows(engine)


def test_the_other_database_must_be_empty(settings, engine, tmp_path):
    fill_store(engine, "one", 24, 60)
    move(settings, back_in(tmp_path))
    before = (tmp_path / "back.db").read_bytes()
    with pytest.raises(StoreError, match="not empty"):
        move(settings, back_in(tmp_path))
    assert (tmp_path / "back.db").read_bytes() == before


def test_a_database_of_others_is_left_as_it_is(settings, engine, tmp_path):
    fill_store(engine, "one", 24, 60)
    with sqlite3.connect(tmp_path / "back.db") as others:
        others.execute("CREATE TABLE song (name TEXT)")
    others.close()
    with pytest.raises(StoreError, match="holds the table song"):
        move(settings, back_in(tmp_path))


@pytest.mark.parametrize("url", ["zzz", "mysql://h/db", "sqlite:///:memory:", ""])
def test_a_url_that_can_hold_no_store_is_refused(settings, engine, url):
    fill_store(engine, "one", 24, 60)
    with pytest.raises(BadRequest, match="nothing was moved"):
        move(settings, url)


def test_a_place_that_is_no_database_is_named_as_what_it_is(settings, engine, tmp_path, monkeypatch):
    fill_store(engine, "one", 24, 60)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n")
    for place in (tmp_path, tmp_path / "table.csv"):
        with pytest.raises(BadRequest, match=f"{place} is there and is no database"):
            move(settings, f"sqlite:///{place}")
    with pytest.raises(BadRequest, match=f"write sqlite:///{tmp_path}/new.db; nothing was moved"):
        move(settings, "sqlite:///new.db")
    with pytest.raises(StoreError, match="it cannot be opened") as unwritable:
        move(settings, "sqlite:////proc/new.db")
    assert "full" not in str(unwritable.value)
    with pytest.raises(StoreError, match=r"ada:\*\*\*@127.0.0.1:1/x cannot be used .*, so nothing was moved"):
        move(settings, "postgresql://ada:hunter2@127.0.0.1:1/x")


def test_an_empty_store_is_not_moved(settings, tmp_path):
    with pytest.raises(BadRequest, match="empty"):
        move(settings, back_in(tmp_path))
    assert not (tmp_path / "back.db").exists()


def test_nothing_is_moved_while_a_worker_or_a_retrain_runs(
    settings, engine, tmp_path, hold_retrain_lock, hold_worker_lock
):
    fill_store(engine, "one", 24, 60)
    for hold, what in ((hold_retrain_lock, "a retrain"), (hold_worker_lock, "a worker")):
        with hold(engine), pytest.raises(Busy, match=what):
            move(settings, back_in(tmp_path))
    assert not (tmp_path / "back.db").exists()
    assert move(settings, back_in(tmp_path)).rows["vote"] == 60


def test_a_vote_that_came_meanwhile_stops_the_move(settings, engine, tmp_path, monkeypatch):
    fill_store(engine, "one", 24, 60)

    def vote(*_: object) -> None:
        with writing(engine) as session:
            session.add(Vote(request_id="late", rater_id=1, image_id=1, verdict=Verdict.keep))

    monkeypatch.setattr("feedback.exchange.stores.move.set_sequences", vote)
    with pytest.raises(Busy, match="votes came in"):
        move(settings, back_in(tmp_path))
    monkeypatch.undo()
    assert move(settings, back_in(tmp_path)).rows["vote"] == 61


def moved_until_killed(settings: Settings, url: str) -> None:
    rows_before = iter(range(40))

    def kill(_bar: object, _rows: int) -> None:
        if next(rows_before, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    move_module.tqdm.update = kill
    move(settings, url)


@pytest.mark.parametrize("to", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_killed_move_leaves_the_source_and_begins_again(
    settings, engine, tmp_path, to, request, exit_code_of, opened
):
    fill_store(engine, "one", 24, 60)
    url = back_in(tmp_path) if to == "sqlite" else request.getfixturevalue("postgres_url")
    before, rows = figures(engine), raw_rows(engine)
    engine.dispose()
    assert exit_code_of(moved_until_killed, settings, url) == -signal.SIGKILL
    assert raw_rows(engine) == rows
    move(settings, url)
    assert figures(opened(at_url(settings, url))) == before


@pytest.mark.slow
@pytest.mark.postgres
def test_a_hundred_thousand_votes_move_to_postgresql_and_back(settings, engine, postgres_url, tmp_path, opened):
    fill_store(engine, "one", 20_000, 100_000, raters=12)
    before, counts = figures(engine), count_all(engine)
    move(settings, postgres_url)
    assert figures(opened(at_url(settings, postgres_url))) == before
    move(at_url(settings, postgres_url), back_in(tmp_path))
    back = opened(at_url(settings, back_in(tmp_path)))
    assert figures(back) == before
    assert count_all(back) == counts
    assert counts["vote"] == 100_000
