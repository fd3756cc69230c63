import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import select

from feedback.versions import begin, champion, events, get_version, next_number, promote, publish, reigns, roll_back
from store.engine import reading, writing
from store.errors import BadRequest, OtherBase, UnknownVersion
from store.migrate import check_integrity, open_store
from store.settings import Settings
from store.tables import Action, Alias, AliasEvent, AliasName, Version


@pytest.fixture
def three(any_engine: Engine, publish_version: Callable) -> Engine:
    """A store with v0 as champion and v1 to v3 published."""
    for number in (1, 2, 3):
        publish_version(any_engine, number)
    return any_engine


def history(engine: Engine) -> list[tuple[str, int | None, int | None]]:
    """The events of the champion, oldest first."""
    return [
        (event.action.value, event.from_version, event.to_version)
        for event in reversed(events(engine))
        if event.alias is AliasName.champion
    ]


def assert_the_champion_is_published(engine: Engine) -> None:
    with reading(engine) as session:
        alias = session.get_one(Alias, AliasName.champion)
        assert session.get(Version, alias.version) is not None
    assert champion(engine).number == alias.version
    assert check_integrity(engine) == []


def test_beginning_twice_changes_nothing(any_engine: Engine) -> None:
    for _ in range(2):
        begin(any_engine, "builtin", "0" * 64)
    assert champion(any_engine).number == 0
    assert history(any_engine) == [("begin", None, 0)]


def test_another_base_is_refused(any_engine: Engine) -> None:
    begin(any_engine, "builtin", "0" * 64)
    with pytest.raises(OtherBase, match=r"begun with the base model builtin.*name other"):
        begin(any_engine, "other", "1" * 64)
    assert champion(any_engine).base_model == "builtin"


def test_a_store_that_was_not_begun_has_no_champion(any_engine: Engine) -> None:
    with pytest.raises(BadRequest, match="no champion yet"):
        champion(any_engine)
    with pytest.raises(BadRequest, match="no earlier champion"):
        roll_back(any_engine)


def test_publishing_makes_a_challenger_and_leaves_the_champion(three: Engine) -> None:
    with reading(three) as session:
        aliases = {alias.name: alias.version for alias in session.exec(select(Alias))}
        assert next_number(session) == 4
    assert aliases == {AliasName.champion: 0, AliasName.challenger: 3}
    assert [event.from_version for event in events(three) if event.action is Action.publish] == [2, 1, None]


def test_a_promotion_is_one_event_with_its_reason(three: Engine) -> None:
    promote(three, 2, "fewer hands with six fingers")
    [event] = [event for event in events(three) if event.action is Action.promote]
    assert (event.from_version, event.to_version, event.reason) == (0, 2, "fewer hands with six fingers")
    assert champion(three).number == 2


def test_promoting_the_challenger_leaves_no_challenger(three: Engine) -> None:
    promote(three, 2)
    with reading(three) as session:
        assert session.get_one(Alias, AliasName.challenger).version == 3
    promote(three, 3)
    with reading(three) as session:
        assert session.get(Alias, AliasName.challenger) is None


@pytest.mark.parametrize("number", [-1, 4, 99])
def test_an_unknown_version_is_refused(number: int, three: Engine) -> None:
    before = history(three)
    with pytest.raises(UnknownVersion, match="the newest is v3"):
        promote(three, number)
    with pytest.raises(UnknownVersion, match="the newest is v3"):
        get_version(three, number)
    assert history(three) == before


def test_promoting_the_champion_again_is_refused(three: Engine) -> None:
    promote(three, 1)
    before = history(three)
    with pytest.raises(BadRequest, match="v1 is the champion already"):
        promote(three, 1)
    assert history(three) == before


def test_rolling_back_walks_back_through_history(three: Engine) -> None:
    for number in (1, 2, 3):
        promote(three, number)
    assert [roll_back(three), roll_back(three)] == [2, 1]
    promote(three, 3)
    assert [roll_back(three), roll_back(three)] == [1, 0]
    assert_the_champion_is_published(three)
    with pytest.raises(BadRequest, match="nothing was changed"):
        roll_back(three)
    assert champion(three).number == 0
    assert len(history(three)) == 1 + 3 + 2 + 1 + 2


def test_rolling_back_to_a_champion_of_two_reigns_needs_one_step_each(three: Engine) -> None:
    for number in (1, 2, 1):
        promote(three, number)
    assert [roll_back(three), roll_back(three), roll_back(three)] == [2, 1, 0]


def test_reigns_follow_the_champion_alone() -> None:
    def event(action: Action, to: int, alias: AliasName = AliasName.champion) -> AliasEvent:
        return AliasEvent(action=action, alias=alias, to_version=to)

    story = [event(Action.begin, 0), event(Action.publish, 1, AliasName.challenger), event(Action.promote, 1)]
    assert reigns(story) == [0, 1]
    assert reigns([*story, event(Action.roll_back, 0)]) == [0]


@contextmanager
def full_disk(engine: Engine) -> Iterator[None]:
    """The database refuses every new event, the last row that a promotion writes."""
    if engine.dialect.name == "sqlite":
        start = ["CREATE TRIGGER full_disk BEFORE INSERT ON alias_event BEGIN SELECT RAISE(ABORT, 'disk full'); END"]
        end = ["DROP TRIGGER full_disk"]
    else:
        body = "RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ LANGUAGE plpgsql"
        trigger = "CREATE TRIGGER full_disk BEFORE INSERT ON alias_event FOR EACH ROW EXECUTE FUNCTION refuse()"
        start, end = [f"CREATE FUNCTION refuse() {body}", trigger], ["DROP FUNCTION refuse CASCADE"]
    for statements in (start, end):
        with writing(engine) as session:
            for statement in statements:
                session.connection().exec_driver_sql(statement)
        if statements is start:
            yield


def test_a_promotion_or_rollback_that_fails_in_the_database_changes_nothing(three: Engine) -> None:
    promote(three, 1)
    before = history(three)
    with full_disk(three):
        with pytest.raises(DatabaseError, match="disk full"):
            promote(three, 3)
        with pytest.raises(DatabaseError, match="disk full"):
            roll_back(three)
    assert history(three) == before
    assert_the_champion_is_published(three)


def promote_and_die(settings: Settings, number: int, is_committed: bool) -> None:
    engine = open_store(settings)
    if not is_committed:
        event.listen(engine, "commit", lambda connection: os._exit(9))  # SQLAlchemy's hook just before the commit
    promote(engine, number)
    os._exit(9)


def test_a_kill_around_a_promotion_leaves_a_champion_to_roll_back_from(
    any_settings: Settings, publish_version: Callable, exit_code_of: Callable
) -> None:
    engine = open_store(any_settings)
    for number in (1, 2):
        publish_version(engine, number)
    promote(engine, 1)
    engine.dispose()  # no connection may live across the fork
    assert exit_code_of(promote_and_die, any_settings, 2, False) == 9
    assert_the_champion_is_published(engine)
    assert history(engine)[1:] == [("promote", 0, 1)]
    engine.dispose()
    assert exit_code_of(promote_and_die, any_settings, 2, True) == 9
    assert_the_champion_is_published(engine)
    began = time.perf_counter()
    assert [roll_back(engine), roll_back(engine)] == [1, 0]
    assert time.perf_counter() - began <= 1.0
    assert history(engine)[1:] == [("promote", 0, 1), ("promote", 1, 2), ("roll_back", 2, 1), ("roll_back", 1, 0)]
    assert_the_champion_is_published(engine)
    engine.dispose()


def test_a_published_number_or_file_is_never_used_again(three: Engine) -> None:
    again = {"base_model": "builtin", "base_sha256": "0" * 64}
    for row in (Version(number=3, sha256="f" * 64, **again), Version(number=4, sha256=f"{3:064x}", **again)):
        with pytest.raises(IntegrityError), writing(three) as session:
            publish(session, row, "again")
    assert get_version(three, 3).sha256 == f"{3:064x}"
    assert_the_champion_is_published(three)


def test_no_alias_can_name_a_version_that_is_not_published(three: Engine) -> None:
    with pytest.raises(IntegrityError), writing(three) as session:
        session.get_one(Alias, AliasName.champion).version = 77
    assert_the_champion_is_published(three)
