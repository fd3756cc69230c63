"""The tables. Rows that record what people did (`vote`, `alias_event`) are only ever added to."""

import secrets
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel

from store.texts import name_key


class Verdict(StrEnum):
    """What a rater says of a picture; `undo` takes that rater's last word on it back."""

    reject = "reject"
    keep = "keep"
    skip = "skip"
    undo = "undo"


class Origin(StrEnum):
    """Why a picture is there; no rate counts `asked` ones, chosen for what their votes teach, nor `imported` ones."""

    sampled = "sampled"
    asked = "asked"
    imported = "imported"
    evaluation = "evaluation"
    control = "control"


class AliasName(StrEnum):
    champion = "champion"
    challenger = "challenger"


class Action(StrEnum):
    begin = "begin"
    publish = "publish"
    promote = "promote"
    roll_back = "roll_back"
    refuse = "refuse"
    no_difference = "no_difference"
    withdraw = "withdraw"
    retrain = "retrain"
    stop = "stop"


class RunStatus(StrEnum):
    running = "running"
    done = "done"
    failed = "failed"
    interrupted = "interrupted"


class Role(StrEnum):
    """What an image is in a manifest."""

    reject = "reject"
    keep = "keep"


class Split(StrEnum):
    train = "train"
    held_out = "held_out"


class PersonRole(StrEnum):
    """What a person may do: rate; look after the pool as well; everything."""

    rater = "rater"
    curator = "curator"
    admin = "admin"


class RaterAction(StrEnum):
    pause = "pause"
    resume = "resume"
    exclude = "exclude"
    include = "include"
    role = "role"


class PoolAction(StrEnum):
    """What a curator decides of a picture: out of the pool or in it; its verdict, or that it follows the votes."""

    exclude = "exclude"
    restore = "restore"
    reject = "reject"
    keep = "keep"
    follow = "follow"


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def shuffle_place(work_key: str) -> int:
    """The place of an image in the shuffled queue, 0 to 2**31 - 1: it looks random and is always the same."""
    return int.from_bytes(sha256(work_key.encode()).digest()[:4]) >> 1


FIRST_NUMBER, END_NUMBER = 2**32, 2**53


def public_number() -> int:
    """A random number under which raters know a picture: it tells nothing of the row, whose number tells the version.

    JavaScript holds every whole number below 2**53; row numbers are below 2**32, so none is taken for the other.
    """
    return FIRST_NUMBER + secrets.randbelow(END_NUMBER - FIRST_NUMBER)


def _public_number() -> Any:
    index: dict[str, Any] = {"unique": True, "index": True}
    return Column("number", BigInteger, nullable=False, server_default="0", default=public_number, **index)


def _enum(kind: type[StrEnum]) -> Any:
    # Stored as text with a CHECK, so that a new word is a migration and a wrong one is refused.
    return Enum(
        kind,
        name=f"{kind.__name__.lower()}_word",
        native_enum=False,
        create_constraint=True,
        values_callable=lambda words: [word.value for word in words],
        length=max(16, *(len(word) for word in kind)),
    )


class Rater(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=80)
    name_key: str = Field(
        default=None,
        description="what two names of one person have in common",
        sa_column=Column(
            String,
            nullable=False,
            unique=True,
            index=True,
            server_default="",
            default=lambda context: name_key(context.get_current_parameters()["name"]),
        ),
    )
    created_at: datetime = Field(default_factory=utc_now)
    # What the newest `rater_event` rows say, kept here because every query asks for it.
    role: PersonRole = Field(
        default=PersonRole.rater, sa_column=Column(_enum(PersonRole), nullable=False, server_default="rater")
    )
    is_paused: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    is_excluded: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class StoreRow(SQLModel, table=True):
    """One row: the store's id, which its folders of pictures and versions carry too."""

    __tablename__ = "store"
    id: str = Field(primary_key=True, max_length=32)
    created_at: datetime = Field(default_factory=utc_now)


class PromptImport(SQLModel, table=True):
    """Prompts that came together, from a file or a command, so that they can be paused or removed together."""

    __tablename__ = "prompt_import"
    id: int | None = Field(default=None, primary_key=True)
    source: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class Prompt(SQLModel, table=True):
    """What pictures are drawn from while `is_active`; one that only an evaluation set holds has no import."""

    id: int | None = Field(default=None, primary_key=True)
    text: str = Field(unique=True)
    source: str = ""
    import_id: int | None = Field(default=None, foreign_key="prompt_import.id", index=True)
    is_active: bool = True
    is_removed: bool = Field(
        default=False, description="never drawn from again", sa_column_kwargs={"server_default": false()}
    )
    read_characters: int | None = Field(default=None, description="so many the model reads; none: not counted yet")
    weight: int = Field(
        default=1, description="turns in each round of the list", sa_column_kwargs={"server_default": "1"}
    )
    created_at: datetime = Field(default_factory=utc_now)


class Version(SQLModel, table=True):
    """v0 is the plain base; v1, v2, … are negative LoRAs. Numbers are never used again."""

    number: int = Field(primary_key=True)
    parent: int | None = Field(default=None, foreign_key="version.number")
    sha256: str | None = Field(default=None, unique=True, description="of the diffusers file; none for v0")
    kohya_sha256: str | None = None
    manifest_id: str | None = Field(default=None, foreign_key="manifest.id")
    run_id: int | None = Field(default=None, foreign_key="run.id")
    base_model: str
    base_sha256: str
    rule: str = "plain"
    strength: float = 0.0
    strength_of: int | None = Field(default=None, description="the version whose LoRA this is, at another strength")
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    libraries: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    code_commit: str = ""
    curve: list[dict[str, float]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    strength_curve: list[dict[str, float]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )
    check: dict[str, Any] | None = Field(
        default=None,
        description="how it judges pictures (`feedback.check.version_check`); none: it has no check",
        sa_column=Column(JSON(none_as_null=True), nullable=True),
    )
    train_seconds: float = 0.0
    damage: str = Field(
        default="",
        description="why nothing is drawn with it, as a worker found",
        sa_column_kwargs={"server_default": ""},
    )
    created_at: datetime = Field(default_factory=utc_now)


ARE_ASKED = text("origin = 'asked'")


class Image(SQLModel, table=True):
    __table_args__ = (
        Index("ix_image_queue", "is_queued", "id"),
        Index("ix_image_shuffled", "is_queued", "shuffle"),
        Index("ix_image_version", "version", "origin"),
        Index("ix_image_asked", "is_queued", "id", sqlite_where=ARE_ASKED, postgresql_where=ARE_ASKED),
        CheckConstraint("seed >= 0", name="seed_not_negative"),
    )
    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(default=None, sa_column=_public_number())
    work_key: str = Field(unique=True, description="sha256 of prompt, seed, version and sampling settings")
    sha256: str = Field(index=True, description="of the PNG in the blob folder")
    latent_sha256: str | None = Field(default=None, description="of the final latent (safetensors)")
    prompt_id: int = Field(foreign_key="prompt.id", index=True)
    negative_prompt: str = ""
    # A row of `conditions`; none: not recorded. No foreign key: adding one would copy the whole table on SQLite.
    conditions_id: int | None = None
    seed: int = Field(sa_type=BigInteger)
    rule: str
    strength: float
    guidance_scale: float
    num_inference_steps: int
    width: int
    height: int
    version: int = Field(foreign_key="version.number")
    origin: Origin = Field(sa_column=Column(_enum(Origin), nullable=False))
    is_queued: bool = Field(default=False, description="waits for raters")
    overlap: int | None = Field(default=None, description="raters who judge it; none: NAYSAYER_OVERLAP")
    shuffle: int = Field(
        default=None,
        description="place in the shuffled queue, 0 to 2**31 - 1",
        sa_column=Column(
            Integer,
            nullable=False,
            server_default="0",
            default=lambda context: shuffle_place(context.get_current_parameters()["work_key"]),
        ),
    )
    created_at: datetime = Field(default_factory=utc_now)


class PictureScore(SQLModel, table=True):
    """How much a version's check found a picture like the rejects; higher: more."""

    __tablename__ = "picture_score"
    image_id: int = Field(foreign_key="image.id", primary_key=True)
    version: int = Field(foreign_key="version.number", primary_key=True, index=True)
    score: float
    is_out_of_sample: bool = Field(description="by a LoRA that was not trained on the picture")
    created_at: datetime = Field(default_factory=utc_now)


class PictureTry(SQLModel, table=True):
    """One drawing of a picture whose version has a check; the others than the kept one are gone."""

    __tablename__ = "picture_try"
    image_id: int = Field(foreign_key="image.id", primary_key=True)
    number: int = Field(primary_key=True, description="from 1 on; with the picture's seed it gives the noise")
    score: float = Field(description="the check's; higher: more like the rejects")
    is_kept: bool


class ImportedPicture(SQLModel, table=True):
    """What the file of an imported picture said; its pixels are imported once, however often they come."""

    __tablename__ = "imported_picture"
    image_id: int = Field(foreign_key="image.id", primary_key=True)
    pixels_sha256: str = Field(unique=True, index=True, description="of the decoded RGB pixels and their size")
    source: str = Field(index=True, description="where the file was")
    stamp: str = Field(description="the file's size and time, so that it is not read again while they are the same")
    tool: str = ""
    seed: str = Field(default="", description="as the file said it, up to 2**64 - 1; empty: not known")
    model: str = ""
    model_hash: str = ""
    base: str = ""
    marks: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))


class ModelBase(SQLModel, table=True):
    """Which base a model's name or hash stands for, as the user said; `ours` is the store's own."""

    __tablename__ = "model_base"
    key: str = Field(primary_key=True)
    base: str
    created_at: datetime = Field(default_factory=utc_now)


class DrawnUnder(SQLModel, table=True):
    """Conditions under which pictures were drawn: all that decides them besides prompt, seed and version."""

    __tablename__ = "conditions"
    id: int | None = Field(default=None, primary_key=True)
    body: str = Field(unique=True, description="canonical JSON")


class Lease(SQLModel, table=True):
    """An image was shown, or is about to be, to a rater; it stays reserved until `expires_at`."""

    __table_args__ = (UniqueConstraint("image_id", "rater_id"), Index("ix_lease_held", "rater_id", "expires_at"))
    id: int | None = Field(default=None, primary_key=True)
    image_id: int = Field(foreign_key="image.id")
    rater_id: int = Field(foreign_key="rater.id")
    expires_at: datetime
    knows_row: bool = Field(
        default=False,
        description="given before pictures had public numbers: its votes may name the row",
        sa_column_kwargs={"server_default": false()},
    )


class Claim(SQLModel, table=True):
    """A worker draws this picture, or is about to; no other does until `expires_at`."""

    key: str = Field(primary_key=True, max_length=64, description="sha256 of prompt, seed, version and origin")
    worker: str = Field(max_length=80, index=True)
    version: int = Field(foreign_key="version.number")
    origin: Origin = Field(sa_column=Column(_enum(Origin), nullable=False))
    expires_at: datetime


class WorkerState(StrEnum):
    """What a worker does now."""

    starting = "starting"
    drawing = "drawing"
    resting = "resting"
    no_room = "no_room"
    waiting = "waiting"


class Worker(SQLModel, table=True):
    """A worker process as it last spoke; its row goes when it ends in order. Times are by the store's clock."""

    name: str = Field(primary_key=True, max_length=80)
    host: str = Field(max_length=80)
    device: str = Field(default="", max_length=120, description="what it draws on; empty while it starts")
    leads: bool = Field(default=False, description="it retrains and lets the gate look, too")
    state: WorkerState = Field(sa_column=Column(_enum(WorkerState), nullable=False))
    waits_for: str = Field(default="", max_length=300, description="who has its device, while it waits")
    versions: list[int] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    pictures: int = Field(default=0, description="it draws so many at this instant, `step` of `steps` done")
    step: int = 0
    steps: int = 0
    drawn: int = Field(default=0, description="pictures since it started")
    per_minute: float | None = Field(default=None, description="pictures a minute over its last batches")
    since: datetime = Field(default_factory=utc_now, description="it does so since then")
    started_at: datetime = Field(default_factory=utc_now)
    seen_at: datetime = Field(default_factory=utc_now, index=True)


class Vote(SQLModel, table=True):
    """One press of a key. A rater's newest row on an image is the current vote; `undo` means none."""

    __table_args__ = (
        Index("ix_vote_image_rater", "image_id", "rater_id", "id", "verdict"),  # verdict: no row is fetched to count
        Index("ix_vote_rater", "rater_id", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    request_id: str = Field(unique=True, max_length=64)
    rater_id: int = Field(foreign_key="rater.id")
    image_id: int = Field(foreign_key="image.id")
    verdict: Verdict = Field(sa_column=Column(_enum(Verdict), nullable=False))
    page: str = ""
    shown_at: datetime | None = None
    decided_at: datetime | None = None
    received_at: datetime = Field(default_factory=utc_now)
    guidelines: int | None = Field(default=None, description="the version that the rater was shown last; None for none")


class Guidelines(SQLModel, table=True):
    """What an admin asks of raters, in Markdown; the newest row counts, and an empty text means none."""

    id: int | None = Field(default=None, primary_key=True)
    text: str
    by: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class Manifest(SQLModel, table=True):
    """The frozen training set of a version; `id` is the SHA-256 of its canonical JSON."""

    id: str = Field(primary_key=True)
    body: str
    created_at: datetime = Field(default_factory=utc_now)


class ManifestItem(SQLModel, table=True):
    __tablename__ = "manifest_item"
    manifest_id: str = Field(foreign_key="manifest.id", primary_key=True)
    image_id: int = Field(foreign_key="image.id", primary_key=True, index=True)
    role: Role = Field(sa_column=Column(_enum(Role), nullable=False))
    split: Split = Field(sa_column=Column(_enum(Split), nullable=False))


class Alias(SQLModel, table=True):
    name: AliasName = Field(sa_column=Column(_enum(AliasName), primary_key=True))
    version: int = Field(foreign_key="version.number")


class AliasEvent(SQLModel, table=True):
    __tablename__ = "alias_event"
    id: int | None = Field(default=None, primary_key=True)
    action: Action = Field(sa_column=Column(_enum(Action), nullable=False))
    alias: AliasName = Field(sa_column=Column(_enum(AliasName), nullable=False))
    from_version: int | None = Field(default=None, foreign_key="version.number")
    to_version: int | None = Field(default=None, foreign_key="version.number")
    reason: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class Run(SQLModel, table=True):
    """One attempt at a retrain; `step` of `steps` is the share of its expected time that has passed."""

    id: int | None = Field(default=None, primary_key=True)
    status: RunStatus = Field(sa_column=Column(_enum(RunStatus), nullable=False))
    manifest_id: str | None = Field(default=None, sa_column=Column(ForeignKey("manifest.id")))
    version: int | None = Field(default=None, description="the version it published")
    step: int = 0
    steps: int = 0
    message: str = ""
    stop_reason: str | None = Field(default=None, description="why a person asked it to stop")
    started_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class RunProgress(SQLModel, table=True):
    """What a retrain has done, stage by stage (`feedback.retrain.stages`), with its loss and strengths so far."""

    __tablename__ = "run_progress"
    run_id: int = Field(foreign_key="run.id", primary_key=True)
    stages: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    curve: list[dict[str, float]] = Field(sa_column=Column(JSON, nullable=False))
    strengths: list[dict[str, float]] = Field(sa_column=Column(JSON, nullable=False))


class Control(SQLModel, table=True):
    """The known answer of an image of origin `control`, mixed into the queue to measure raters."""

    image_id: int = Field(foreign_key="image.id", primary_key=True)
    answer: Verdict = Field(sa_column=Column(_enum(Verdict), nullable=False))
    source: str = Field(description="where the answer comes from: agreed, by hand, drawn")
    by: str = ""
    is_active: bool = True
    created_at: datetime = Field(default_factory=utc_now)


class Repeat(SQLModel, table=True):
    """An image was given to a rater again, after the vote `first_vote_id`, to see whether the rater agrees.

    It came under another public number, so that nothing but the picture itself tells the rater.
    """

    __table_args__ = (UniqueConstraint("rater_id", "image_id"),)
    id: int | None = Field(default=None, primary_key=True)
    rater_id: int = Field(foreign_key="rater.id")
    image_id: int = Field(foreign_key="image.id")
    first_vote_id: int = Field(foreign_key="vote.id")
    number: int = Field(default=None, sa_column=_public_number())
    is_look: bool = Field(
        default=False,
        description="not at random, but because the vote looked like a slip",
        sa_column_kwargs={"server_default": false()},
    )
    created_at: datetime = Field(default_factory=utc_now)


class SecondLook(SQLModel, table=True):
    """A vote that a check contradicted which was not trained on it; the newest version that did, and the chance of
    a reject by it. It waits for another look as `feedback.check.looks.is_waiting` says."""

    __tablename__ = "second_look"
    vote_id: int = Field(foreign_key="vote.id", primary_key=True)
    image_id: int = Field(foreign_key="image.id", index=True)
    rater_id: int = Field(foreign_key="rater.id", index=True, description="who gave the vote")
    version: int = Field(foreign_key="version.number", index=True)
    chance: float
    created_at: datetime = Field(default_factory=utc_now)


class RaterEvent(SQLModel, table=True):
    """What was decided about a rater, by whom and why; only ever added to."""

    __tablename__ = "rater_event"
    id: int | None = Field(default=None, primary_key=True)
    rater_id: int = Field(foreign_key="rater.id", index=True)
    action: RaterAction = Field(sa_column=Column(_enum(RaterAction), nullable=False))
    by: str = ""
    reason: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class PoolEvent(SQLModel, table=True):
    """What a curator decided of an image; of taking out and putting back the newest row counts, and of verdicts."""

    __tablename__ = "pool_event"
    id: int | None = Field(default=None, primary_key=True)
    image_id: int = Field(foreign_key="image.id", index=True)
    action: PoolAction = Field(sa_column=Column(_enum(PoolAction), nullable=False))
    by: str = ""
    reason: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class Invitation(SQLModel, table=True):
    """A signed link that lets one person in without an account, until it expires or is revoked."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    role: PersonRole = Field(sa_column=Column(_enum(PersonRole), nullable=False))
    created_at: datetime = Field(default_factory=utc_now)
    expires_at: datetime
    revoked_at: datetime | None = None


class Token(SQLModel, table=True):
    """Lets a program act under a name until it is revoked. The hash tells nobody the token."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    role: PersonRole = Field(sa_column=Column(_enum(PersonRole), nullable=False))
    sha256: str = Field(unique=True, index=True, max_length=64, description="of the token")
    created_at: datetime = Field(default_factory=utc_now)
    revoked_at: datetime | None = None
    used_at: datetime | None = Field(default=None, description="last, to the minute")


class Reason(StrEnum):
    """Why a picture was rejected."""

    hands = "hands"
    anatomy = "anatomy"
    text = "text"
    colour = "colour"
    prompt_not_followed = "prompt not followed"
    artefact = "artefact"
    composition = "composition"
    unsafe = "unsafe"
    other = "other"


class VoteReason(SQLModel, table=True):
    __tablename__ = "vote_reason"
    vote_id: int = Field(foreign_key="vote.id", primary_key=True)
    reason: Reason = Field(sa_column=Column(_enum(Reason), primary_key=True))


class Mark(SQLModel, table=True):
    """A point on the picture where the defect is: shares of its width and height, 0 to 1."""

    id: int | None = Field(default=None, primary_key=True)
    vote_id: int = Field(foreign_key="vote.id", index=True)
    x: float
    y: float


class EvaluationSet(SQLModel, table=True):
    """A frozen list of prompts and seeds that never train. A set is never changed."""

    __tablename__ = "evaluation_set"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    sha256: str = Field(unique=True, description="of its pairs")
    created_at: datetime = Field(default_factory=utc_now)


class EvaluationUse(SQLModel, table=True):
    """A set came into use; the newest row says which one is. Only ever added to."""

    __tablename__ = "evaluation_use"
    id: int | None = Field(default=None, primary_key=True)
    set_id: int = Field(foreign_key="evaluation_set.id", index=True)
    by: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class EvaluationPair(SQLModel, table=True):
    __tablename__ = "evaluation_pair"
    __table_args__ = (Index("ix_evaluation_pair_prompt_seed", "prompt_id", "seed"),)
    set_id: int = Field(foreign_key="evaluation_set.id", primary_key=True)
    pair_hash: str = Field(primary_key=True, index=True, description="sha256 of prompt and seed")
    ordinal: int
    prompt_id: int = Field(foreign_key="prompt.id")
    seed: int = Field(sa_type=BigInteger)


class ImageMeasure(SQLModel, table=True):
    """What the guardrails know of an evaluation image, from its pixels."""

    __tablename__ = "image_measure"
    image_id: int = Field(foreign_key="image.id", primary_key=True)
    brightness: float
    saturation: float
    contrast: float
    thumbnail: str = Field(description="8 by 8 RGB pixels, hexadecimal")
    prompt_score: float | None = Field(default=None, description="by the prompt scorer, where one is given")


class Damage(SQLModel, table=True):
    """The file of a picture that was lost or altered, as somebody found who asked for it."""

    image_id: int = Field(foreign_key="image.id", primary_key=True)
    found_at: datetime = Field(default_factory=utc_now)


class CurrentVote(SQLModel, table=True):
    """A rater's current vote on an image: the newest key press, kept beside the votes so that counting is cheap.

    This table and the four after it follow from `vote` and `pool_event` and can be made again
    (`feedback.pool.tally.rebuild`).
    """

    __tablename__ = "word"
    __table_args__ = (Index("ix_word_rater", "rater_id", "vote_id"),)
    image_id: int = Field(foreign_key="image.id", primary_key=True)
    rater_id: int = Field(foreign_key="rater.id", primary_key=True)
    verdict: Verdict = Field(sa_column=Column(_enum(Verdict), nullable=False))
    vote_id: int = Field(foreign_key="vote.id")
    day: date = Field(description="when the vote was received, UTC")


class ImageTally(SQLModel, table=True):
    """Current reject and keep votes on an image, and the curator's verdict that counts in their place."""

    __tablename__ = "image_tally"
    image_id: int = Field(foreign_key="image.id", primary_key=True)
    rejects: int = 0
    keeps: int = 0
    ruled: Verdict | None = Field(default=None, sa_column=Column(_enum(Verdict), nullable=True))


class VersionTally(SQLModel, table=True):
    """How many images of a version are rejects, keeps, disputed; of all pairs of votes on one image, how many agree."""

    __tablename__ = "version_tally"
    version: int = Field(foreign_key="version.number", primary_key=True)
    origin: Origin = Field(sa_column=Column(_enum(Origin), primary_key=True))
    rejected: int = 0
    kept: int = 0
    disputed: int = 0
    vote_pairs: int = 0
    agreeing: int = 0


class VoteCount(SQLModel, table=True):
    """Current reject and keep votes by version, rater and day."""

    __tablename__ = "vote_count"
    version: int = Field(foreign_key="version.number", primary_key=True)
    origin: Origin = Field(sa_column=Column(_enum(Origin), primary_key=True))
    rater_id: int = Field(foreign_key="rater.id", primary_key=True, index=True)
    day: date = Field(primary_key=True)
    rejects: int = 0
    keeps: int = 0


class NewRejects(SQLModel, table=True):
    """One row: rejects in the pool, from image `floor` on, that the newest version, `version`, was not trained on."""

    __tablename__ = "new_rejects"
    id: int = Field(default=1, primary_key=True)
    version: int | None = Field(default=None, foreign_key="version.number")
    floor: int = 0
    count: int = 0


class TaskKind(StrEnum):
    retrain = "retrain"
    draw = "draw"
    sort = "sort"
    score = "score"


class TaskStatus(StrEnum):
    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"


class Task(SQLModel, table=True):
    """What a page or a command asks of the worker."""

    __table_args__ = (Index("ix_task_status", "status", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    kind: TaskKind = Field(sa_column=Column(_enum(TaskKind), nullable=False))
    status: TaskStatus = Field(sa_column=Column(_enum(TaskStatus), nullable=False))
    body: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    answer: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    message: str = ""
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class Delivery(SQLModel, table=True):
    """One announcement to the webhook; `key` names the event or the run it tells of."""

    key: str = Field(primary_key=True, max_length=40)
    tries: int = 0
    is_delivered: bool = False
    message: str = ""
    updated_at: datetime = Field(default_factory=utc_now)
