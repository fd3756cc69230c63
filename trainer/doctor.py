"""`naysayer doctor`: checks of this installation, its store and its model."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import distribution, requires, version
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.pool.damage import damage_words, still_bad
from feedback.pool.tally import differences
from feedback.runs import latest_run
from feedback.sample.cut_prompts import cut_sentence, first_missed
from feedback.sample.prompts import count_active, has_list, list_prompts
from feedback.sample.work import Job
from feedback.succession import PLAIN
from feedback.workers import NO_WORKER, is_worker_alive, list_workers, worker_words
from store.engine import has_wal_reset_bug, is_sqlite, reading, sqlite_module
from store.errors import DamagedStore
from store.files import sha256_of_file
from store.layout import Layout, layout_of
from store.locks.server import is_pooled
from store.migrate import check_integrity, read_store
from store.phrases import plural
from store.process import sentence_of
from store.safety.bucket_mark import try_bucket
from store.safety.identity import list_unknown, refuse_strangers
from store.safety.place import missing_store
from store.settings import Settings
from store.tables import Image, Prompt, RunStatus, Version
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE

MIN_FREE_BYTES = 2 * 10**9
SAMPLED_BLOBS = 200
POOLER = (
    "a pooler is between Naysayer and PostgreSQL; let it keep sessions (PgBouncer: pool_mode = session), because a "
    "leader's and a retrain's lock belong to one"
)
ONE_FOLDER = (
    "workers draw on {}, and pictures are kept in data folders; unless that is one folder that all machines mount, set "
    "NAYSAYER_BLOBS to a bucket"
)
FEWEST_STEPS = 2


class Finding(NamedTuple):
    """The result of one check."""

    is_fine: bool
    sentence: str


def examine(settings: Settings) -> list[Finding]:
    """Every finding, installation first; a check that cannot run is itself a finding."""
    findings = [*_guarded(_installation), *_guarded(lambda: _disk(settings))]
    try:
        engine = read_store(settings)
    except Exception as error:
        return [*findings, Finding(False, sentence_of(error))]
    layout = layout_of(settings)
    for check in (
        lambda: _database(engine, missing_store(settings)),
        lambda: _bucket(engine, layout),
        lambda: _versions(engine, layout),
        lambda: _blobs(engine, layout),
        lambda: _loop(engine, settings),
        lambda: _workers(engine, layout),
        lambda: _model(settings, engine),
    ):
        findings += _guarded(check)
    engine.dispose()
    return findings


def _guarded(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # a check that fails is a finding, and the others go on
        return [Finding(False, sentence_of(error))]


def _installation() -> Iterable[Finding]:
    for text in requires("naysayer") or []:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = distribution(requirement.name).version
        if not requirement.specifier.contains(found, prereleases=True):
            yield Finding(
                False, f"{requirement.name} {found} is installed, {requirement.specifier} is needed; `make setup`"
            )
    yield Finding(
        True, f"naysayer {version('naysayer')} with torch {version('torch')}, diffusers {version('diffusers')}"
    )


def _disk(settings: Settings) -> Iterable[Finding]:
    existing = next(
        folder for folder in [settings.data_dir.resolve(), *settings.data_dir.resolve().parents] if folder.exists()
    )
    free = shutil.disk_usage(existing).free
    yield Finding(
        free > MIN_FREE_BYTES,
        f"{free / 1e9:.1f} GB free on the disk of {settings.data_dir} (2 GB are needed for a retrain)",
    )
    if not os.access(existing, os.W_OK):
        yield Finding(False, f"{existing} can only be read by this user, so nothing can be drawn, rated or trained")


def _database(engine: Engine, missing: Path | None) -> Iterable[Finding]:
    problems = [] if missing else check_integrity(engine)
    for problem in problems[:5]:
        yield Finding(False, f"the database is damaged: {problem}; restore a backup with `naysayer restore FILE`")
    if missing:
        yield Finding(True, f"there is no store at {missing} yet; `naysayer run` begins one")
    elif not problems:
        for difference in differences(engine):
            yield Finding(False, f"{difference}; repair it with `naysayer recount`")
        yield Finding(True, f"the database {engine.url.render_as_string(hide_password=True)} is sound")
    module = sqlite_module()
    if is_sqlite(engine) and has_wal_reset_bug(module.sqlite_version_info):
        yield Finding(
            True,
            f"SQLite {module.sqlite_version} has the WAL-reset bug, so the slower DELETE journal is used; "
            "`pip install pysqlite3` brings a newer engine",
        )

    if not is_sqlite(engine) and is_pooled(engine):
        yield Finding(True, POOLER)


def _bucket(engine: Engine, layout: Layout) -> Iterable[Finding]:
    if said := try_bucket(engine, layout):
        yield Finding(True, said)


def _versions(engine: Engine, layout: Layout) -> Iterable[Finding]:
    refuse_strangers(engine, layout)
    for path in list_unknown(engine, layout):
        yield Finding(True, f"{path} is no version of this store's; it is left as it is")
    with reading(engine) as session:
        versions = list(session.exec(select(Version).where(Version.number != PLAIN).order_by(col(Version.number))))
    for row in versions:
        assert row.sha256 is not None
        folder = layout.fetch_version(row.sha256)
        for name, sha256 in ((DIFFUSERS_FILE, row.sha256), (KOHYA_FILE, row.kohya_sha256)):
            path = folder / name
            if not path.exists() or sha256_of_file(path) != sha256:
                yield Finding(False, f"v{row.number}: {path} is missing or altered; restore it from a backup")
    yield Finding(True, f"{plural(len(versions), 'version')} besides the plain base")


def _blobs(engine: Engine, layout: Layout) -> Iterable[Finding]:
    if found := damage_words(still_bad(engine, layout.blobs)):
        yield Finding(False, found)
    with reading(engine) as session:
        newest = session.exec(select(Image.sha256).order_by(col(Image.id).desc()).limit(SAMPLED_BLOBS))
        hashes = list(newest)
    for sha256 in hashes:
        try:
            layout.blobs.get(sha256)
        except DamagedStore as error:
            yield Finding(False, str(error))
            return
    yield Finding(True, f"unchanged since they were stored: the newest {plural(len(hashes), 'picture')}")


def _loop(engine: Engine, settings: Settings) -> Iterable[Finding]:
    if count_active(engine) == 0 and (has_list(engine) or not settings.is_builtin):
        yield Finding(False, "no prompt is in use, so nothing can be drawn; `naysayer prompts import FILE` adds some")
    with reading(engine) as session:
        run = latest_run(session)
    if run is not None and run.status is RunStatus.failed:
        yield Finding(False, f"the last retrain failed: {run.message}")
    if run is not None and run.status is RunStatus.interrupted:
        yield Finding(False, f"the last retrain was interrupted: {run.message}")


def _workers(engine: Engine, layout: Layout) -> Iterable[Finding]:
    """A worker that was killed is a fault; that none was started is not."""
    found = list_workers(engine)
    for worker in found:
        yield Finding(worker.is_there, f"worker on {worker_words(worker)}")
    if not is_worker_alive(engine):
        yield Finding(not found, NO_WORKER)
    hosts = sorted({worker.row.host for worker in found if worker.is_there})
    if len(hosts) > 1 and not layout.bucket_url:
        yield Finding(True, ONE_FOLDER.format(" and ".join(hosts)))


def _model(settings: Settings, engine: Engine) -> Iterable[Finding]:
    from trainer.base.model import silence_libraries
    from trainer.base.weights import pin_revision
    from trainer.card.choosing import fill_in
    from trainer.card.loading import examine_card
    from trainer.card.turn import Taken, card_words, loaded_if_free

    silence_libraries()
    pinned = pin_revision(engine, settings)
    yield Finding(*card_words(pinned))
    card = None if settings.is_builtin else examine_card(engine, pinned)
    if card is not None:
        yield Finding(card.chosen.fits, card.sentence)
        pinned = fill_in(pinned, card.chosen.choice)
    try:
        with loaded_if_free(pinned, "`naysayer doctor`") as base:
            yield from _loaded(engine, base)
    except Taken as taken:
        yield Finding(True, str(taken))


def _loaded(engine: Engine, base: Any) -> Iterable[Finding]:
    from trainer.base.model import compare_base

    with reading(engine) as session:
        recorded = session.get(Version, PLAIN)
    compare_base(recorded, base)
    plain = base.plain
    yield Finding(
        True,
        f"the model {base.name} loads on {base.device} ({base.dtype}): {plain.width}x{plain.height} px, "
        f"{plain.num_inference_steps} steps, guidance {plain.guidance_scale:g}, {base.prediction}",
    )
    yield from _unread(engine, base)
    yield _draw_once(base)


def _unread(engine: Engine, base: Any) -> Iterable[Finding]:
    """What the model does not read to its end; counted only for now, because doctor writes nothing."""
    from trainer.base.tokenizers import counter_of

    read = counter_of(base) or len
    used = [prompt for prompt in list_prompts(engine) if prompt.is_active]
    negative = Prompt(text=base.plain.negative_prompt)
    for prompt in (*used, negative):
        prompt.read_characters = read(prompt.text)
    if cut := cut_sentence([prompt for prompt in used if first_missed(prompt)]):
        yield Finding(True, cut)
    if word := first_missed(negative):
        yield Finding(True, f"the model does not read the negative prompt to its end (it stops before {word!r})")


def _draw_once(base: Any) -> Finding:
    """One picture in as few steps as base and refiner need."""
    from trainer.base.vae import decode_latents
    from trainer.sample.sampler import sample_latents

    # The refiner needs its own step.
    steps = FEWEST_STEPS if base.refiner is None else ceil(1 / (1 - base.refiner.start)) + 1
    drawing = replace(base.plain, num_inference_steps=steps)
    [picture] = decode_latents(base, sample_latents(base, [Job("a photo of a cat", 0)], drawing))
    refined = ", the last steps by the refiner" if base.refiner else ""
    return Finding(
        True, f"it draws a picture of {picture.width}x{picture.height} px ({steps} steps{refined}; {base.prediction})"
    )
