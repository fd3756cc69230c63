import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import select

from feedback.succession import reigns
from feedback.versions import (
    begin,
    champion,
    conclude,
    events,
    get_version,
    next_number,
    promote,
    publish,
    roll_back,
    withdraw,
    withdrawn,
)
from store.engine import reading, writing
from store.errors import BadRequest, OtherBase, UnknownVersion
from store.migrate import check_integrity, open_store
from store.settings import Settings
from store.tables import Action, Alias, AliasEvent, AliasName, Image, Origin, Rater, Verdict, Version, Vote


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
    assert time.perf_counter() - began < 10  # a busy machine; by itself less than a second
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


def queued(engine: Engine) -> set[int]:
    with reading(engine) as session:
        return set(session.exec(select(Image.id).where(Image.is_queued)))


@pytest.fixture
def waiting(three: Engine, fill: Callable) -> Engine:
    """Pictures 1 of v0, 2 of v1, 3 of v2 and an evaluation picture of v3, 4; all wait, somebody judged 5 of v0."""
    for version in (0, 1, 2):
        fill(three, images=1, version=version)
    fill(three, images=1, version=3, origin=Origin.evaluation)
    [judged] = fill(three, images=1)
    with writing(three) as session:
        session.get_one(Image, 4).is_queued = True
        session.add(Rater(id=1, name="ann"))
        session.flush()
        session.add(Vote(request_id="r", rater_id=1, image_id=judged, verdict=Verdict.keep))
    assert queued(three) == {1, 2, 3, 4, 5}
    return three


def test_a_promotion_leaves_only_the_champions_pictures_and_the_judged_ones_in_the_queue(waiting: Engine) -> None:
    promote(waiting, 1)
    assert queued(waiting) == {2, 5}


def test_a_rollback_does_so_as_well(waiting: Engine) -> None:
    with writing(waiting) as session:
        for event_of_v1 in [AliasEvent(action=Action.promote, alias=AliasName.champion, from_version=0, to_version=1)]:
            session.add(event_of_v1)
        session.get_one(Alias, AliasName.champion).version = 1
    assert roll_back(waiting, "worse") == 0
    assert queued(waiting) == {1, 5}
    newest = events(waiting)[0]
    assert (newest.action, newest.from_version, newest.to_version, newest.reason) == (Action.roll_back, 1, 0, "worse")


def test_a_withdrawal_takes_only_that_versions_pictures_out_of_the_queue(waiting: Engine) -> None:
    assert withdraw(waiting, 1, "six fingers") == 0
    assert queued(waiting) == {1, 3, 4, 5}
    newest = events(waiting)[0]
    assert (newest.action, newest.alias, newest.from_version, newest.to_version, newest.reason) == (
        Action.withdraw,
        AliasName.challenger,
        1,
        None,
        "six fingers",
    )
    with reading(waiting) as session:
        assert withdrawn(session) == {1}
        assert session.get_one(Alias, AliasName.challenger).version == 3
    assert withdraw(waiting, 3, "worse") == 0
    with reading(waiting) as session:
        assert session.get(Alias, AliasName.challenger) is None


def test_withdrawing_the_champion_is_an_event_of_the_champion(waiting: Engine) -> None:
    promote(waiting, 1)
    promote(waiting, 2)
    assert withdraw(waiting, 2, "six fingers") == 1
    newest = events(waiting)[0]
    assert (newest.alias, newest.from_version, newest.to_version) == (AliasName.champion, 2, 1)
    assert champion(waiting).number == 1
    with pytest.raises(UnknownVersion):
        withdraw(waiting, 9, "none")


@pytest.mark.parametrize("action", [Action.promote, Action.refuse, Action.no_difference])
def test_the_gates_conclusion_is_one_event_and_ends_the_comparison(action: Action, waiting: Engine) -> None:
    assert conclude(waiting, action, 3, 0, "12 got better")
    newest = events(waiting)[0]
    is_promoted = action is Action.promote
    assert (newest.action, newest.reason) == (action, "12 got better")
    assert (newest.alias, newest.from_version, newest.to_version) == (
        (AliasName.champion, 0, 3) if is_promoted else (AliasName.challenger, 3, None)
    )
    assert champion(waiting).number == (3 if is_promoted else 0)
    assert queued(waiting) == ({5} if is_promoted else {1, 2, 3, 5})
    with reading(waiting) as session:
        assert session.get(Alias, AliasName.challenger) is None


def test_a_conclusion_about_another_pair_or_a_withdrawn_version_changes_nothing(waiting: Engine) -> None:
    before = len(events(waiting))
    assert not conclude(waiting, Action.promote, 2, 0, "")
    assert not conclude(waiting, Action.promote, 3, 1, "")
    assert (len(events(waiting)), champion(waiting).number) == (before, 0)


def test_a_withdrawal_takes_every_reign_of_that_version_and_joins_what_it_parted() -> None:
    def of(action: Action, to: int | None, came: int | None = None) -> AliasEvent:
        return AliasEvent(action=action, alias=AliasName.champion, from_version=came, to_version=to)

    story = [of(Action.begin, 0), *(of(Action.promote, number) for number in (1, 2, 1, 3, 1))]
    assert reigns(story) == [0, 1, 2, 1, 3, 1]
    assert reigns([*story, of(Action.withdraw, 3, 1)]) == [0, 2, 3]
    assert reigns([*story, of(Action.withdraw, 1, 3)]) == [0, 1, 2, 1]


def test_the_first_number_is_one_and_the_base_is_version_zero(any_engine: Engine) -> None:
    with reading(any_engine) as session:
        assert next_number(session) == 1
    begin(any_engine, "builtin", "0" * 64, {"model_revision": "c0ffee"})
    plain = champion(any_engine)
    assert (plain.number, plain.base_model, plain.base_sha256) == (0, "builtin", "0" * 64)
    assert plain.settings == {"model_revision": "c0ffee"}
    [begun] = events(any_engine)
    assert (begun.action, begun.from_version, begun.reason) == (Action.begin, None, "the plain base")
