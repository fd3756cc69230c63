"""Fills a store as years of use would: pictures, votes, versions, reasons, controls."""

import random
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, text
from sqlmodel import select
from tqdm import tqdm

from feedback.pool.tally import rebuild
from feedback.rate.controls import make_control
from feedback.sample.prompts import add_prompts
from feedback.versions import begin, publish
from store.engine import writing
from store.tables import FIRST_NUMBER, Alias, AliasName, Manifest, Prompt, Reason, Verdict, Version, shuffle_place

WAITING = 400
"""Pictures that nobody has judged yet."""
RATERS = 40
PROMPTS = 2000
CHUNK = 20_000
FIRST_DAY = date(2025, 1, 6)


class Size(NamedTuple):
    """How many rows the store gets; each version draws an equal part of the pictures."""

    pictures: int
    votes: int
    versions: int

    @property
    def judged(self) -> int:
        """How many pictures have votes; the newest have none."""
        return max(1, self.pictures - WAITING)

    def version_of(self, n: int) -> int:
        """The version that drew the n-th picture."""
        return min(self.versions - 1, n * self.versions // (self.pictures + 1))


def fill(engine: Engine, size: Size, seed: int = 0) -> None:
    """Adds the rows: several raters have voted on most pictures, nobody on the newest."""
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, [f"prompt number {n}" for n in range(PROMPTS)])
    _add_versions(engine, size.versions)
    with writing(engine) as session:
        prompts = list(session.exec(select(Prompt.id)))
        session.execute(
            text("INSERT INTO rater (id, name, name_key, created_at) VALUES (:id, :name, :name, :at)"),
            [{"id": n, "name": f"rater {n}", "at": "2026-01-01 00:00:00"} for n in range(1, RATERS + 1)],
        )
    chance = random.Random(seed)
    with tqdm(total=size.pictures + size.votes, desc="filling", unit="row") as bar:
        for start in range(1, size.pictures + 1, CHUNK):
            stop = min(start + CHUNK, size.pictures + 1)
            _insert(engine, IMAGE, (_image(n, size, prompts, chance) for n in range(start, stop)))
            bar.update(stop - start)
        for start in range(0, size.votes, CHUNK):
            stop = min(start + CHUNK, size.votes)
            _insert(engine, VOTE, (_vote(n, size, chance) for n in range(start, stop)))
            bar.update(stop - start)
    _sync_sequences(engine)
    _add_reasons(engine)
    _add_manifests(engine, size.versions)
    with writing(engine) as session:
        rebuild(session)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


IMAGE = """INSERT INTO image (id, number, work_key, sha256, prompt_id, negative_prompt, seed, rule, strength,
guidance_scale, num_inference_steps, width, height, version, origin, is_queued, shuffle, created_at)
VALUES (:id, :number, :name, :name, :prompt_id, '', :seed, 'plain', 0, 3, 10, 64, 64, :version, :origin, :is_queued,
:shuffle, :at)"""
VOTE = """INSERT INTO vote (id, request_id, rater_id, image_id, verdict, page, shown_at, decided_at, received_at)
VALUES (:id, :request, :rater, :image, :verdict, '', :at, :at, :at)"""


def _image(n: int, size: Size, prompts: list[int | None], chance: random.Random) -> dict[str, Any]:
    is_evaluation = n % 500 < 2
    return {
        "id": n,
        "number": FIRST_NUMBER + n,
        "name": f"{n:064x}",
        "prompt_id": prompts[n % len(prompts)],
        "seed": chance.randrange(2**31),
        "version": size.version_of(n),
        "origin": "evaluation" if is_evaluation else "sampled",
        "is_queued": n > size.judged,
        "shuffle": shuffle_place(f"{n:064x}"),
        "at": _at(size.version_of(n), n),
    }


def _vote(n: int, size: Size, chance: random.Random) -> dict[str, Any]:
    image = 1 + n % size.judged
    return {
        "id": n + 1,
        "request": f"bench-{n}",
        "rater": 1 + (n // size.judged * 7 + image) % RATERS,
        "image": image,
        "verdict": chance.choices(("reject", "keep", "skip"), (30, 65, 5))[0],
        "at": _at(size.version_of(image), n),
    }


def _at(version: int, n: int) -> str:
    """A moment in the week when a version was live."""
    return f"{FIRST_DAY + timedelta(days=7 * version + n % 7)} 12:00:00.000000"


def _insert(engine: Engine, statement: str, rows: Any) -> None:
    with writing(engine) as session:
        session.connection().execute(text(statement), list(rows))


def _add_versions(engine: Engine, versions: int) -> None:
    for number in range(1, versions):
        row = Version(
            number=number,
            parent=number - 1,
            sha256=f"{number:064x}",
            base_model="builtin",
            base_sha256="0" * 64,
            rule="same-prompt",
            strength=4.0,
        )
        with writing(engine) as session:
            publish(session, row, "made by the bench")
    with writing(engine) as session:
        session.get_one(Alias, AliasName.champion).version = max(0, versions - 2)


def _add_manifests(engine: Engine, versions: int, most: int = 50_000) -> None:
    """The newest version was trained on up to `most` rejects, each earlier one on a part of them."""
    trained = """INSERT INTO manifest_item (manifest_id, image_id, role, split)
    SELECT :manifest, image_id, 'reject', 'train' FROM vote JOIN image ON image.id = vote.image_id
    WHERE verdict = 'reject' AND origin = 'sampled' GROUP BY image_id ORDER BY image_id LIMIT :most"""
    for number in tqdm(range(1, versions), desc="manifests"):
        manifest = f"{number:064x}"
        with writing(engine) as session:
            session.add(Manifest(id=manifest, body="{}"))
            session.flush()
            session.execute(text(trained), {"manifest": manifest, "most": most * number // versions})
            session.get_one(Version, number).manifest_id = manifest


def _add_reasons(engine: Engine) -> None:
    """Every third reject has a reason; some pictures are controls, some were taken out of the pool."""
    with writing(engine) as session:
        for n, reason in enumerate(Reason):
            session.execute(
                text(
                    "INSERT INTO vote_reason (vote_id, reason) SELECT id, :reason FROM vote "
                    "WHERE verdict = 'reject' AND id % 27 = :n"
                ),
                {"reason": reason.value, "n": 3 * n},
            )
        session.execute(
            text(
                "INSERT INTO pool_event (image_id, action, by, reason, created_at) "
                "SELECT id, 'exclude', 'bench', 'bench', created_at FROM image WHERE id % 5000 = 7"
            )
        )
    for image in range(2, 402, 2):
        make_control(engine, image, Verdict.keep, by="bench")


def _sync_sequences(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":  # rows that name their ids do not move the counters
        with engine.begin() as connection:
            for table in ("image", "vote", "rater"):
                connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))
