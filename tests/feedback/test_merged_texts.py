"""Migration 0008: names and prompts that are one text become one row."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlmodel import select

from feedback.people.invitations import list_invitations
from feedback.pool.tally import COUNTED, differences, rebuild
from feedback.sample.evaluation import active_pairs, list_sets, pair_hash
from feedback.sample.prompts import list_imports, list_prompts
from store.engine import open_engine, reading, writing
from store.migrate import _config, check_integrity, migrate
from store.settings import Settings
from store.tables import Image, Lease, Mark, Rater, RaterEvent, Repeat, VoteReason

DAY = "2026-01-0"
JOSE_NFD = unicodedata.normalize("NFD", "José")


class Old:
    """A store of the schema before, filled by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.votes = engine, 0

    def add(self, table: str, **values: Any) -> None:
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        with self.engine.begin() as connection:
            connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)

    def rater(self, id: int, name: str, role: str = "rater", **flags: bool) -> None:
        state = {"is_paused": False, "is_excluded": False} | flags
        self.add("rater", id=id, name=name, role=role, created_at=f"{DAY}1", **state)

    def prompt(self, id: int, words: str, source: str = "list", is_active: bool = True) -> None:
        self.add("prompt", id=id, text=words, source=source, is_active=is_active, created_at=f"{DAY}1")

    def image(self, id: int, prompt: int = 1, origin: str = "sampled", is_queued: bool = False) -> None:
        self.add(
            "image", id=id, work_key=f"k{id}", sha256=f"s{id}", prompt_id=prompt, negative_prompt="", seed=id,
            rule="plain", strength=0, guidance_scale=3, num_inference_steps=20, width=64, height=64, version=0,
            origin=origin, is_queued=is_queued, is_disputed=False, created_at=f"{DAY}1",
        )  # fmt: skip

    def vote(self, rater: int, image: int, verdict: str, day: int = 1) -> int:
        self.votes += 1
        self.add(
            "vote", id=self.votes, request_id=f"r{self.votes}", rater_id=rater, image_id=image, verdict=verdict,
            page="one", received_at=f"{DAY}{day}",
        )  # fmt: skip
        return self.votes

    def upgrade(self) -> Engine:
        with self.engine.begin() as connection:
            if connection.dialect.name != "sqlite":
                connection.execute(text("SELECT setval('vote_id_seq', :newest)"), {"newest": max(1, self.votes)})
        migrate(self.engine)
        return self.engine


@pytest.fixture
def old(any_settings: Settings) -> Iterator[Old]:
    engine = open_engine(any_settings.url)
    if any_settings.store_url == "":
        any_settings.data_dir.mkdir(exist_ok=True)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0007")
    store = Old(engine)
    store.add(
        "version", number=0, base_model="builtin", base_sha256="0", rule="plain", strength=0, settings="{}",
        libraries="{}", code_commit="", curve="[]", strength_curve="[]", train_seconds=0, created_at=f"{DAY}1",
    )  # fmt: skip
    store.add("alias", name="champion", version=0)
    store.prompt(1, "a red star")
    yield store
    engine.dispose()


def counters(engine: Engine) -> list[list[Any]]:
    with reading(engine) as session:
        return [sorted(map(tuple, session.execute(table.__table__.select()))) for table in COUNTED[:4]]


def check_counters(engine: Engine) -> None:
    assert differences(engine) == []
    kept = counters(engine)
    with writing(engine) as session:
        rebuild(session)
    assert counters(engine) == kept
    assert check_integrity(engine) == []


def current(engine: Engine) -> dict[int, list[str]]:
    with reading(engine) as session:
        rows = session.execute(text("SELECT image_id, verdict FROM word ORDER BY image_id, rater_id")).all()
    found: dict[int, list[str]] = {}
    for image, verdict in rows:
        found.setdefault(image, []).append(verdict)
    return found


@pytest.mark.parametrize(
    ("presses", "stands"),
    [
        ("a:reject", "reject"),
        ("b:reject", "reject"),
        ("a:reject b:reject", "reject"),
        ("a:reject b:keep", "keep"),
        ("b:keep a:reject", "reject"),
        ("a:reject b:keep b:undo", "reject"),
        ("b:keep b:undo a:reject", "reject"),
        ("a:reject b:undo", "reject"),
        ("a:reject b:skip", "reject"),
        ("a:skip b:skip", "skip"),
        ("a:skip b:undo", "skip"),
        ("a:reject a:undo b:keep b:undo", "undo"),
        ("a:reject b:reject c:keep c:undo", "reject"),
        ("a:undo b:keep c:reject c:skip", "keep"),
    ],
)
def test_of_several_votes_of_one_person_the_last_that_stands_counts_once(old: Old, presses: str, stands: str) -> None:
    for number, name in enumerate(("José", JOSE_NFD, "JOSÉ"), 1):
        old.rater(number, name)
    old.image(1)
    for press in presses.split():
        who, verdict = press.split(":")
        old.vote("abc".index(who) + 1, 1, verdict)
    engine = old.upgrade()
    assert current(engine) == {1: [stands]}
    check_counters(engine)


def test_votes_of_other_people_are_left_alone(old: Old) -> None:
    for number, name in enumerate(("Ada", "Bob", "ada", "Аda"), 1):
        old.rater(number, name)
    for image in (1, 2):
        old.image(image)
        for rater in (1, 2, 3, 4):
            old.vote(rater, image, "reject" if rater % 2 else "keep", day=rater)
    engine = old.upgrade()
    assert current(engine) == {1: ["reject", "keep", "keep"], 2: ["reject", "keep", "keep"]}
    with reading(engine) as session:
        assert [row.name for row in session.exec(select(Rater).order_by(Rater.id))] == ["Ada", "Bob", "Аda"]
    check_counters(engine)


def test_leases_repeats_events_reasons_and_marks_move_with_their_rater(old: Old) -> None:
    old.rater(1, "Ada")
    old.rater(2, "ADA")
    for image in (1, 2, 3):
        old.image(image)
    for image, rater, until in ((1, 1, 3), (1, 2, 9), (2, 2, 5), (3, 1, 8), (3, 2, 4)):
        old.add("lease", image_id=image, rater_id=rater, expires_at=f"{DAY}{until}")
    first, second = old.vote(1, 1, "reject"), old.vote(2, 1, "reject")
    old.vote(2, 1, "undo")
    old.add("vote_reason", vote_id=first, reason="hands")
    old.add("mark", vote_id=first, x=0.5, y=0.5)
    for rater, vote in ((1, first), (2, second)):
        old.add("repeat", rater_id=rater, image_id=1, first_vote_id=vote, created_at=f"{DAY}1")
    old.add("rater_event", rater_id=2, action="pause", by="x", reason="y", created_at=f"{DAY}1")
    engine = old.upgrade()
    with reading(engine) as session:
        leases = session.exec(select(Lease).order_by(Lease.image_id)).all()
        assert [(row.image_id, row.rater_id, row.expires_at.day) for row in leases] == [(1, 1, 9), (2, 1, 5), (3, 1, 8)]
        assert [row.rater_id for row in session.exec(select(Repeat))] == [1]
        assert [row.rater_id for row in session.exec(select(RaterEvent))] == [1]
        assert [row.vote_id for row in session.exec(select(VoteReason).order_by(VoteReason.vote_id))] == [first, 4]
        assert [row.vote_id for row in session.exec(select(Mark).order_by(Mark.id))] == [first, 4]
    check_counters(engine)


def test_a_double_gives_its_role_its_pause_and_its_exclusion(old: Old) -> None:
    old.rater(1, "Ada")
    old.rater(2, "ada", role="admin", is_paused=True)
    old.rater(3, "ADA", role="curator", is_excluded=True)
    old.image(1)
    old.vote(1, 1, "reject")
    old.add("invitation", name="ada", role="admin", created_at=f"{DAY}1", expires_at=f"{DAY}9")
    engine = old.upgrade()
    with reading(engine) as session:
        [row] = session.exec(select(Rater)).all()
    assert (row.name, row.name_key, row.role, row.is_paused, row.is_excluded) == ("Ada", "ada", "admin", True, True)
    assert [row.name for row in list_invitations(engine)] == ["Ada"]
    check_counters(engine)


def test_a_picture_that_lost_a_vote_waits_for_another_rater(old: Old) -> None:
    old.rater(1, "Ada")
    old.rater(2, "ada")
    for image in (1, 2):
        old.image(image)
    old.vote(1, 1, "reject")
    old.vote(2, 1, "reject")
    old.vote(1, 2, "reject")
    _count(old)
    engine = old.upgrade()
    with reading(engine) as session:
        assert [row.is_queued for row in session.exec(select(Image).order_by(Image.id))] == [True, False]
    check_counters(engine)


def _count(old: Old) -> None:
    """The counters as they were kept before."""
    old.add("image_tally", image_id=1, rejects=2, keeps=0)
    old.add("image_tally", image_id=2, rejects=1, keeps=0)


def test_prompts_in_two_forms_become_one_with_their_pictures_and_pairs(old: Old) -> None:
    old.prompt(2, "a cafe\u0301", is_active=False)
    old.prompt(3, "a café")
    old.prompt(4, "e\u0301t\u00e9")
    old.image(1, prompt=2)
    old.image(2, prompt=3)
    old.add("evaluation_set", id=1, name="mine", sha256="s", created_at=f"{DAY}1")
    for ordinal, (prompt, words, seed) in enumerate(
        [(2, "a cafe\u0301", 5), (3, "a café", 5), (4, "e\u0301t\u00e9", 6)]
    ):
        old.add(
            "evaluation_pair", set_id=1, pair_hash=pair_hash(words, seed), ordinal=ordinal, prompt_id=prompt, seed=seed
        )
    engine = old.upgrade()
    assert [(row.id, row.text, row.is_active) for row in list_prompts(engine)] == [
        (1, "a red star", True), (2, "a café", True), (4, "été", True),
    ]  # fmt: skip
    with reading(engine) as session:
        assert {row.prompt_id for row in session.exec(select(Image))} == {2}
        pairs = active_pairs(session)
    assert [row.pair_hash for row in pairs] == [pair_hash("a café", 5), pair_hash("été", 6)]
    assert list_sets(engine)[0].pairs == 2
    assert check_integrity(engine) == []


def test_every_source_of_an_old_store_is_an_import_that_can_be_undone(old: Old) -> None:
    old.prompt(2, "a blue hand", source="b.txt")
    old.prompt(3, "a purple moon", source="evaluation set mine", is_active=False)
    engine = old.upgrade()
    assert [(row.source, row.active) for row in list_imports(engine)] == [("list", 1), ("b.txt", 1)]
    assert [row.import_id for row in list_prompts(engine)] == [1, 2, None]
