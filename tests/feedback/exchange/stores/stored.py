"""Stores in which every table has rows, made by bulk inserts, and the figures that people see of a store."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import SQLModel, col, select

from feedback.figures.summary import standing, version_rows
from feedback.figures.trend import windows
from feedback.gate.comparison import compare_versions
from feedback.people.reliability import agreement_and_figures
from feedback.pool.counts import count_outcomes, count_pool
from feedback.pool.pool import PoolItem
from feedback.pool.tally import differences, rebuild
from feedback.retrain.lineage import uses_of
from feedback.retrain.manifest import FrozenManifest, load_manifest, save
from feedback.sample.conditions import Conditions
from feedback.sample.evaluation import pair_hash
from feedback.sample.work import Drawing, Work, work_key
from feedback.versions import begin, publish
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import (
    Action,
    Alias,
    AliasEvent,
    AliasName,
    Claim,
    Control,
    Damage,
    Delivery,
    DrawnUnder,
    EvaluationPair,
    EvaluationSet,
    EvaluationUse,
    Guidelines,
    Image,
    ImageMeasure,
    ImportedPicture,
    Invitation,
    Lease,
    Mark,
    ModelBase,
    Origin,
    PersonRole,
    PictureScore,
    PictureTry,
    PoolAction,
    PoolEvent,
    Prompt,
    PromptImport,
    Rater,
    RaterAction,
    RaterEvent,
    Reason,
    Repeat,
    Role,
    Run,
    RunProgress,
    RunStatus,
    SecondLook,
    Split,
    Task,
    TaskKind,
    TaskStatus,
    Token,
    Verdict,
    Version,
    Vote,
    VoteReason,
    Worker,
    WorkerState,
)
from tests.feedback.rating import NOON

WORDS = ("ein Fuchs – «grün», 漢字 🦊", "a red star", "a blue hand")
DRAWING = Drawing("plain", 0.1, 3.3, 10, 64, 64, conditions=Conditions(width=64))
PAIRS = 4
"""Evaluation pictures of each of the two versions."""


def at(number: int) -> Any:
    """A time of which the microseconds matter."""
    return NOON + timedelta(seconds=number, microseconds=number % 1_000_000 + 1)


def fill_store(engine: Engine, name: str, images: int, votes: int, raters: int = 3) -> None:
    """Fills every table: the plain base, two versions, `images` pictures with `votes` votes by people of `name`.

    Another `name` gives other pictures, votes and versions; the base, the prompts and the first rater are the same.
    """
    begin(engine, "builtin", "0" * 64)
    with writing(engine) as session:
        session.add(PromptImport(id=1, source=f"{name}.txt", created_at=at(1)))
        session.add(DrawnUnder(id=1, body=DRAWING.conditions.body))
        session.add(Guidelines(id=1, text=f"Rules of {name}", by="Ada", created_at=at(2)))
        session.flush()
        session.add_all(Prompt(id=n, text=text, import_id=1, source=name) for n, text in enumerate(WORDS, 1))
        session.add(Prompt(id=4, text=f"a tower of {name}", weight=3, is_removed=True))
        session.add(Rater(id=1, name="Ada", role=PersonRole.admin))
        session.add_all(Rater(id=n, name=f"{name} {n}", is_excluded=n == 2) for n in range(2, raters + 1))
        session.flush()
        for number in (1, 2):
            _publish(session, name, number)
        connection = session.connection()
        for start in range(0, images, 10_000):
            rows = [_image(name, n) for n in range(start, min(images, start + 10_000))]
            connection.execute(insert(Image), rows)
        for start in range(0, votes, 10_000):
            rows = [_vote(name, n, images, raters) for n in range(start, min(votes, start + 10_000))]
            connection.execute(insert(Vote), rows)
        rebuild(session)
        _train(session, name)
        _fill_the_rest(session, name)
        session.flush()
        rebuild(session)


def _publish(session: Any, name: str, number: int) -> None:
    session.add(Run(id=number, status=RunStatus.done, step=9, steps=9, started_at=_when(name, number)))
    session.flush()
    session.add(RunProgress(run_id=number, stages=[{"name": "fit"}], curve=[{"loss": 0.1 + number}], strengths=[]))
    row = {"parent": number - 1, "sha256": sha256_of(f"{name} {number}".encode()), "run_id": number}
    curve, check = [{"step": 1.0, "loss": 0.1}], {"threshold": 1 / 3} if number == 2 else None
    base = {"base_model": "builtin", "base_sha256": "0" * 64, "settings": {"seed": 2**40}, "curve": curve}
    made = Version(number=number, check=check, strength_of=1 if number == 2 else None, **row, **base)
    publish(session, made, f"made by {name}")
    session.get_one(Run, number).version = number


def _when(name: str, number: int) -> Any:
    return at(int.from_bytes(name.encode()[:2]) + number)


def _image(name: str, n: int) -> dict[str, Any]:
    """The last pictures are pairs of versions 0 and 1."""
    version, origin, prompt = n % 2, Origin.sampled, n % 3 + 1
    seed = n // 2 * 7919 + len(name)
    if n < 2 * PAIRS:
        seed, origin, prompt = 2**40 + n // 2, Origin.evaluation, 1
    work = Work(prompt, WORDS[prompt - 1], seed, version, origin)
    sha256 = (
        sha256_of(f"{name} picture {n}".encode())
        if origin is Origin.sampled or version
        else sha256_of(f"pair {n}".encode())
    )
    columns = {column: getattr(DRAWING, column) for column in vars(DRAWING) if column != "conditions"}
    return columns | {
        "work_key": work_key(work, DRAWING),
        "sha256": sha256,
        "latent_sha256": sha256_of(sha256.encode()),
        "prompt_id": prompt,
        "conditions_id": 1,
        "seed": seed,
        "version": version,
        "origin": origin,
        "is_queued": n % 5 == 0,
        "created_at": at(n),
    }


def _vote(name: str, n: int, images: int, raters: int) -> dict[str, Any]:
    return {
        "request_id": f"{name} {n}",
        "rater_id": n // images % raters + 1,
        "image_id": n % images + 1,
        "verdict": list(Verdict)[n * 2654435761 % 7 % 4],
        "page": "one",
        "shown_at": at(n) if n % 3 else None,
        "received_at": at(n),
        "guidelines": 1,
    }


def _train(session: Any, name: str) -> None:
    """Both versions are trained on the first sampled pictures, the second on one more."""
    rows = session.exec(
        select(Image, Prompt.text).join(Prompt, col(Prompt.id) == Image.prompt_id).where(Image.origin == Origin.sampled)
        .order_by(col(Image.id)).limit(4)
    ).all()  # fmt: skip
    items = [
        PoolItem(
            row.id, row.sha256, row.latent_sha256, text, row.seed, row.width, row.height,
            Role.keep if n % 2 else Role.reject, Split.train, 1, 0, 0.5,
        )
        for n, (row, text) in enumerate(rows)
    ]  # fmt: skip
    for number, some in ((1, items[:3]), (2, items)):
        frozen = FrozenManifest("0" * 64, tuple(some))
        save(session, frozen)
        session.get_one(Version, number).manifest_id = frozen.id
        session.get_one(Run, number).manifest_id = frozen.id


def _fill_the_rest(session: Any, name: str) -> None:
    image, when = 2 * PAIRS + 1, _when(name, 7)
    session.add(AliasEvent(action=Action.promote, alias=AliasName.champion, from_version=0, to_version=1, reason=name))
    session.get_one(Alias, AliasName.champion).version = 1
    session.add(Lease(image_id=image, rater_id=1, expires_at=when, knows_row=True))
    session.add(Control(image_id=image, answer=Verdict.keep, source="agreed", by="Ada", is_active=False))
    session.add(ImageMeasure(image_id=1, brightness=1 / 3, saturation=0.1, contrast=1e-9, thumbnail="00" * 192))
    session.add(Damage(image_id=image + 1))
    session.add(ImportedPicture(image_id=image, pixels_sha256=sha256_of(name.encode()), source="a.png", stamp="1 2"))
    session.add(ModelBase(key="a model", base="ours"))
    session.add(PictureScore(image_id=image, version=1, score=-0.1, is_out_of_sample=True))
    session.add_all(PictureTry(image_id=image, number=n, score=n / 7, is_kept=n == 2) for n in (1, 2))
    session.add(Repeat(rater_id=1, image_id=image, first_vote_id=image, is_look=True))
    session.add(SecondLook(vote_id=image, image_id=image, rater_id=1, version=1, chance=0.7))
    session.add(VoteReason(vote_id=image, reason=Reason.prompt_not_followed))
    session.add_all(Mark(vote_id=image, x=n / 3, y=0.1) for n in (1, 2))
    session.add(RaterEvent(rater_id=2, action=RaterAction.exclude, by="Ada", reason="hasty", created_at=when))
    session.add(PoolEvent(image_id=image, action=PoolAction.keep, by="Ada", reason="“fine”", created_at=when))
    session.add(Invitation(name=name, role=PersonRole.curator, expires_at=when))
    session.add(Token(name=name, role=PersonRole.admin, sha256=sha256_of(name.encode())))
    session.add(EvaluationSet(id=1, name=name, sha256=sha256_of(b"one set"), created_at=when))
    session.flush()
    session.add(EvaluationUse(set_id=1, by="worker", created_at=when))
    session.add_all(
        EvaluationPair(set_id=1, pair_hash=pair_hash(WORDS[0], 2**40 + n), ordinal=n, prompt_id=1, seed=2**40 + n)
        for n in range(PAIRS)
    )
    session.add(Claim(key="k", worker="w", version=1, origin=Origin.asked, expires_at=NOON))
    session.add(Worker(name="w", host="h", state=WorkerState.resting, versions=[0, 1], seen_at=NOON))
    session.add(Task(kind=TaskKind.draw, status=TaskStatus.done, body={"prompt": WORDS[0], "n": 0.1}, answer={"a": []}))
    session.add(Delivery(key="event 1", tries=2, is_delivered=True, message="ok"))


def count_all(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    with reading(engine) as session:
        tables = SQLModel.metadata.sorted_tables
        return {table.name: len(session.execute(select(*table.primary_key)).all()) for table in tables}


def figures(engine: Engine) -> dict[str, Any]:
    """What the pages say of a store: rates by version, pool, agreement, the gate's evidence, lineage."""
    assert differences(engine) == []
    with reading(engine) as session:
        manifests = [row.manifest_id for row in session.exec(select(Version)) if row.manifest_id]
        pool = (count_pool(session), count_outcomes(session), [count_pool(session, n) for n in (0, 1, 2)])
    return {
        "versions": version_rows(engine),
        "standing": standing(engine, NOON),
        "trend": windows(engine),
        "raters": agreement_and_figures(engine, NOON),
        "gate": compare_versions(engine, 1, 0),
        "pool": pool,
        "manifests": [load_manifest(engine, one).body for one in manifests],
        "lineage": [uses_of(engine, image) for image in range(1, 2 * PAIRS + 6)],
    }


def raw_rows(engine: Engine) -> dict[str, list[tuple]]:
    """Every row as SQLite itself holds it."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.exec_driver_sql(f'SELECT * FROM "{table.name}"')), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }
