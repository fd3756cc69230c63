"""From trained weights to a published version: files first, checked by loading them again, then one transaction.

The version's row is the commit point. A published folder is never deleted, with or without a row: the row may be what
was lost.
"""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, select

from feedback.retrain.looks import record_slips
from feedback.retrain.manifest import FrozenManifest
from feedback.retrain.progress import Tell, quiet
from feedback.versions import next_number, publish
from store.engine import reading, writing
from store.errors import RetrainError
from store.files import remove_folder, sha256_of
from store.layout import Layout
from store.safety.identity import list_unknown
from store.safety.staging import Check, put_version
from store.settings import Settings
from store.tables import PictureScore, Run, RunStatus, Version, utc_now
from trainer.base.model import Base
from trainer.fit.fit import Fitted
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE, diffusers_layout, kohya_layout, safetensors_bytes
from trainer.retrain.check import MadeCheck
from trainer.retrain.provenance import code_commit, kohya_header, libraries, recorded_settings, training_settings
from trainer.retrain.reloading import check_trained
from trainer.retrain.strength import Choice

log = logging.getLogger(__name__)

MANIFEST_FILE, CHECK_FILE = "manifest.json", "check.json"
FILES = (DIFFUSERS_FILE, KOHYA_FILE, MANIFEST_FILE, CHECK_FILE)


@dataclass(frozen=True)
class Made:
    """Everything that a trained version comes from."""

    base: Base
    fitted: Fitted
    choice: Choice
    manifest: FrozenManifest
    settings: Settings
    run: Run
    check: MadeCheck | None = None


@dataclass(frozen=True)
class Candidate:
    """A version before it is published: the bytes of its files by name, its row without a number, and the reason.

    Its hash is that of the diffusers file. `parent` None in the row means the version before.
    """

    files: dict[str, bytes]
    version: Version
    reason: str


def publish_candidate(
    engine: Engine,
    layout: Layout,
    candidate: Candidate,
    check: Check,
    finish: Callable[[Session, int], None] = lambda session, number: None,
) -> Version:
    """Stages the files, checks them, renames their folder into place, then writes the row as a challenger.

    `finish` gets the version's number and adds to the transaction. A failed check leaves neither folder nor row.
    """
    version = candidate.version
    version.sha256 = sha256_of(candidate.files[DIFFUSERS_FILE])
    version.kohya_sha256 = sha256_of(candidate.files[KOHYA_FILE])
    put_version(layout, version.sha256, candidate.files, check)
    version.libraries, version.code_commit = libraries(), code_commit()
    with writing(engine) as session:
        version.number = next_number(session)
        version.parent = version.number - 1 if version.parent is None else version.parent
        publish(session, version, candidate.reason)
        finish(session, version.number)
    return version


def is_published(engine: Engine, sha256: str) -> bool:
    """Whether a version has this file."""
    with reading(engine) as session:
        return session.exec(select(Version.number).where(Version.sha256 == sha256)).first() is not None


def publish_version(engine: Engine, layout: Layout, made: Made, tell: Tell = quiet) -> Version:
    """The row of the newly trained version, published as a challenger. Tells of its share of the work.

    Raises BadExport when a file does not reload to the trained network, RetrainError when the same bytes were published
    before.
    """
    files = render_files(made)
    sha256 = sha256_of(files[DIFFUSERS_FILE])
    if is_published(engine, sha256):
        raise RetrainError(
            f"this retrain gave the same file as an earlier version ({sha256[:12]}…); nothing to publish"
        )

    def finish_run(session: Session, number: int) -> None:
        run = session.get_one(Run, made.run.id)
        run.status, run.version, run.updated_at = RunStatus.done, number, utc_now()
        run.message = f"published v{number}"
        session.add(run)
        for one in made.check.scored if made.check else ():
            image_id = one.item.image_id
            session.add(PictureScore(image_id=image_id, version=number, score=one.score, is_out_of_sample=True))
        record_slips(session, number)

    candidate = Candidate(files, _row(made), f"trained on {made.manifest.words}")
    return publish_candidate(engine, layout, candidate, partial(check_trained, made.base, tell=tell), finish_run)


def render_files(made: Made) -> dict[str, bytes]:
    """The files of a version by name, with its provenance in their headers; the same inputs give the same bytes."""
    settings, base, weights = made.settings, made.base, made.fitted.weights
    provenance = {
        "naysayer.manifest": made.manifest.id,
        "naysayer.base": base.name,
        "naysayer.base_sha256": base.sha256,
        "naysayer.settings": json.dumps(training_settings(settings), sort_keys=True),
        "naysayer.strength": f"{made.choice.strength:g}",
        "naysayer.libraries": json.dumps(libraries(), sort_keys=True),
        "naysayer.commit": code_commit(),
    } | {f"naysayer.{name}": json.dumps(value) for name, value in _other_bases(made.manifest).items()}
    common = kohya_header(settings.lora_rank, "Naysayer negative LoRA") | {
        "ss_seed": str(settings.seed),
        "ss_max_train_steps": str(settings.train_steps),
        "ss_learning_rate": str(settings.learning_rate),
        "ss_batch_size_per_device": str(settings.train_batch),
        "ss_num_train_images": str(len(made.manifest.items)),
        "modelspec.description": "For the negative half of guidance: it draws what raters rejected.",
    }
    return {
        DIFFUSERS_FILE: safetensors_bytes(diffusers_layout(weights), {"format": "pt"} | provenance),
        KOHYA_FILE: safetensors_bytes(kohya_layout(weights), common | provenance),
        MANIFEST_FILE: made.manifest.body.encode(),
    } | ({CHECK_FILE: json.dumps(made.check.check.as_json(), indent=1).encode()} if made.check else {})


def remove_leftovers(engine: Engine, layout: Layout) -> list[str]:
    """Removes the staging folders that interrupted publishes left; names, and leaves, LoRAs without a row.

    Needs the retrain lock.
    """
    left = [path for path in list_unknown(engine, layout) if _is_staging(path)]
    for folder in left:
        remove_folder(folder)
    for path in list_unknown(engine, layout):
        if re.fullmatch(r"[0-9a-f]{64}", path.name):
            log.warning("%s has no row in the database; it is left as it is", path)
    return [folder.name for folder in left]


def _is_staging(path: Path) -> bool:
    """Whether a folder is one that `_put_files` made, with nothing in it that it did not write."""
    if not re.fullmatch(r"\.staging-[0-9a-f]{16}", path.name) or path.is_symlink() or not path.is_dir():
        return False
    ours = re.compile(rf"\.?({'|'.join(map(re.escape, FILES))})(\.[\d-]+\.tmp)?")
    return all(ours.fullmatch(inner.name) and inner.is_file() for inner in path.iterdir())


def _other_bases(manifest: FrozenManifest) -> dict[str, Any]:
    """What a version keeps of pictures that another base drew; nothing where there are none."""
    return {"other_bases": manifest.of_other_bases} if manifest.of_other_bases else {}


def _row(made: Made) -> Version:
    return Version(
        number=0,
        manifest_id=made.manifest.id,
        run_id=made.run.id,
        base_model=made.base.name,
        base_sha256=made.base.sha256,
        rule=made.settings.rule,
        strength=made.choice.strength,
        strength_curve=made.choice.curve,
        settings=recorded_settings(made.settings) | made.base.facts | made.base.sampling | _other_bases(made.manifest),
        curve=made.fitted.curve,
        check=made.check.check.as_json() if made.check else None,
        train_seconds=(utc_now() - made.run.started_at).total_seconds(),
    )
