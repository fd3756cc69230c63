"""Rows for a store that looks as if it had been used for years: pictures, votes, versions, reasons, controls."""

import random
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import select
from tqdm import tqdm

from feedback.pool.tally import rebuild
from feedback.rate.controls import make_control
from feedback.sample.prompts import add_prompts
from feedback.versions import begin, publish
from store.engine import writing
from store.tables import Alias, AliasName, Manifest, Prompt, Reason, Verdict, Version, shuffle_place

WAITING = 400
"""Pictures that nobody has judged yet."""
RATERS = 40
PROMPTS = 2000
CHUNK = 20_000
FIRST_DAY = date(2025, 1, 6)


def fill(engine: Engine, images: int, votes: int, versions: int, seed: int = 0) -> None:
    """Rows that look like a long-lived store: most pictures judged by several raters, the newest waiting."""
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, [f"prompt number {n}" for n in range(PROMPTS)])
    _add_versions(engine, versions)
    with writing(engine) as session:
        prompts = list(session.exec(select(Prompt.id)))
        session.execute(
            text("INSERT INTO rater (id, name, created_at) VALUES (:id, :name, :at)"),
            [{"id": n, "name": f"rater {n}", "at": "2026-01-01 00:00:00"} for n in range(1, RATERS + 1)],
        )
    chance = random.Random(seed)
    judged = max(1, images - WAITING)
    with tqdm(total=images + votes, desc="filling", unit="row") as bar:
        for start in range(1, images + 1, CHUNK):
            stop = min(start + CHUNK, images + 1)
            _insert(engine, IMAGE, (_image(n, images, versions, judged, prompts, chance) for n in range(start, stop)))
            bar.update(stop - start)
        for start in range(0, votes, CHUNK):
            stop = min(start + CHUNK, votes)
            _insert(engine, VOTE, (_vote(n, judged, images, versions, chance) for n in range(start, stop)))
            bar.update(stop - start)
    _sync_sequences(engine)
    _add_reasons(engine)
    _add_manifests(engine, versions)
    with writing(engine) as session:
        rebuild(session)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


IMAGE = """INSERT INTO image (id, work_key, sha256, prompt_id, negative_prompt, seed, rule, strength, guidance_scale,
num_inference_steps, width, height, version, origin, is_queued, shuffle, created_at) VALUES (:id, :name, :name,
:prompt_id, '', :seed, 'plain', 0, 3, 10, 64, 64, :version, :origin, :is_queued, :shuffle, :at)"""
VOTE = """INSERT INTO vote (id, request_id, rater_id, image_id, verdict, page, shown_at, decided_at, received_at)
VALUES (:id, :request, :rater, :image, :verdict, '', :at, :at, :at)"""


def _image(
    n: int, images: int, versions: int, judged: int, prompts: list[int | None], chance: random.Random
) -> dict[str, Any]:
    is_evaluation = n % 500 < 2
    return {
        "id": n,
        "name": f"{n:064x}",
        "prompt_id": prompts[n % len(prompts)],
        "seed": chance.randrange(2**31),
        "version": _version(n, images, versions),
        "origin": "evaluation" if is_evaluation else "sampled",
        "is_queued": n > judged,
        "shuffle": shuffle_place(f"{n:064x}"),
        "at": _at(_version(n, images, versions), n),
    }


def _vote(n: int, judged: int, images: int, versions: int, chance: random.Random) -> dict[str, Any]:
    image = 1 + n % judged
    return {
        "id": n + 1,
        "request": f"bench-{n}",
        "rater": 1 + (n // judged * 7 + image) % RATERS,
        "image": image,
        "verdict": chance.choices(("reject", "keep", "skip"), (30, 65, 5))[0],
        "at": _at(_version(image, images, versions), n),
    }


def _version(n: int, images: int, versions: int) -> int:
    """The version that drew the n-th picture: each is live for as many."""
    return min(versions - 1, n * versions // (images + 1))


def _at(version: int, n: int) -> str:
    """A moment in the week in which a version was live."""
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
    """The newest version was trained on up to `most` rejects, each earlier one on a share of them."""
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
    if engine.dialect.name == "postgresql":  # rows with ids of our own leave the counters behind
        with engine.begin() as connection:
            for table in ("image", "vote", "rater"):
                connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))
