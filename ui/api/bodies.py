"""What the API takes and gives. The field names and their meanings are what its description says."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from feedback.pool.browse.gallery import Accord, Which
from feedback.rate.raters import MAX_NAME
from feedback.rate.votes import Press
from feedback.sample.prompts import MAX_CHARACTERS
from store.tables import PersonRole, Reason, Verdict
from ui.rate.page_data import LIMITS

MOST_PROMPTS = 1000
MOST_POOLED = 500
MOST_ROWS = 5000
LAST_ROW = 2**31 - 1

OneLine = r"^[^\x00-\x1f\x7f]*$"
Why = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
    Field(description="kept in the history, beside the token's name"),
]


def _day(value: Any) -> Any:
    """The value, which pydantic would also take for seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise ValueError("a day is written as 2026-11-28")
    return value


Day = Annotated[date, BeforeValidator(_day)]
Number = Annotated[int, Field(ge=0, le=LAST_ROW, description="the version, e.g. 3")]


class Taken(BaseModel):
    """What comes in: a field that is not known is refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class Wish(Taken):
    """How many pictures to reserve."""

    count: int = Field(LIMITS.queue, ge=1, le=LIMITS.maxQueue, description="at most so many pictures")


class Votes(Taken):
    """Votes of one rater. One with a request id that was sent before counts once."""

    votes: list[Press] = Field(min_length=1, max_length=LIMITS.maxBatch)


class NewPrompts(Taken):
    """Prompts for the list that pictures are drawn from."""

    prompts: list[Annotated[str, Field(max_length=MAX_CHARACTERS)]] = Field(min_length=1, max_length=MOST_PROMPTS)
    source: str = Field("API", max_length=200, pattern=OneLine, description="where they come from, for the lists")


class ForeignVotes(Taken):
    """Votes that were given elsewhere: rows of `votes.jsonl`, Label Studio, Argilla, pairs or tables."""

    rows: list[dict[str, Any]] = Field(
        min_length=1, max_length=MOST_ROWS, description="as `naysayer import votes` reads"
    )
    rater: str = Field("", max_length=MAX_NAME, description="whose votes they are, where a row names nobody")
    preferences: bool = Field(False, description="take the better of two for a keep, the other for a reject")


class Promotion(Taken):
    """Why a version becomes champion."""

    reason: Why
    force: bool = Field(False, description="promote although a check, a guardrail or the votes speak against it")


class Rollback(Taken):
    """Why the champion before comes back."""

    reason: Why


class PictureName(Taken):
    """Which picture."""

    name: str = Field(max_length=200, description="the end of a `url` that this API gave")


class OneVersion(Taken):
    """Which version."""

    number: Number


class VersionFile(OneVersion):
    """Which file of which version."""

    what: Literal["diffusers", "kohya", "comfyui", "card"] = Field(
        description="a LoRA file, the zip with ComfyUI's workflow, or the model card"
    )


class Filtered(Taken):
    """Which pictures of the pool."""

    which: Which | None = Field(None, description="a part of the pool; without it rejects and keeps")
    prompt: str = Field("", max_length=200, description="only prompts that hold this text")
    reason: Reason | None = Field(None, description="only pictures with this reason")
    version: int | None = Field(None, ge=0, le=LAST_ROW, description="only pictures of this version")
    rater: str = Field("", max_length=200, description="only pictures that this rater voted on")
    accord: Accord = Accord.any
    since: Day | None = Field(None, description="voted on from this day on (UTC)")
    until: Day | None = Field(None, description="voted on up to this day (UTC)")
    names: bool = Field(False, description="raters' names instead of pseudonyms")


class Chosen(Filtered):
    """Which pictures of the pool, a page at a time."""

    after: int = Field(0, ge=0, le=LAST_ROW, description="`next` of the page before")
    count: int = Field(100, ge=1, le=MOST_POOLED, description="at most so many pictures")


class Fault(BaseModel):
    """Why a request was refused, in a sentence."""

    error: str


class Me(BaseModel):
    """Whose token this is, and what it allows now."""

    name: str
    role: PersonRole


class Picture(BaseModel):
    """A picture to judge, without what would tell its version."""

    id: int = Field(description="send it back as `image_id` of the vote")
    url: str = Field(description="where the picture is, on this server")
    prompt: str
    unread: str = Field(description="the end of the prompt that the model did not read; empty when it read all")
    width: int
    height: int


class NextPictures(BaseModel):
    """Pictures that are reserved for this rater, in the order in which to judge them."""

    pictures: list[Picture]
    guidelines: int = Field(description="number of the guidelines in force; 0 for none")
    answers: int = Field(description="what this rater has judged so far")
    is_drawing: bool = Field(description="whether a worker draws more")


class Receipt(BaseModel):
    """What became of one vote."""

    request_id: str
    refused: str = Field(description="why it was not recorded; empty when it was")


class Receipts(BaseModel):
    """A receipt for each vote, given once all are on disk."""

    receipts: list[Receipt]
    answers: int = Field(description="what this rater has judged so far")


class GuidelinesText(BaseModel):
    """What raters are asked to look for."""

    number: int = Field(description="0 for none")
    text: str = Field(description="Markdown")


class ImportedPrompts(BaseModel):
    """What became of the prompts. Those that were listed before are not added again."""

    number: int | None = Field(description="of the import; none when no prompt was new")
    given: int
    new: int
    set_aside: int = Field(description="paused or removed before; they stay so")


class LeftOut(BaseModel):
    """Rows that gave no vote, for one reason."""

    why: str
    rows: int


class ImportedVotes(BaseModel):
    """What became of the rows."""

    recorded: int
    known: int = Field(description="here already")
    raters: int
    pictures: int
    left_out: list[LeftOut]


class PoolVote(BaseModel):
    """One press on a picture, as in `votes.jsonl` of an export."""

    request_id: str
    rater: str
    verdict: Verdict
    is_current: bool
    reasons: list[str]
    marks: list[list[float]]
    page: str
    shown_at: datetime | None
    decided_at: datetime | None
    received_at: datetime | None


class PoolPicture(BaseModel):
    """A picture of the pool, as in `metadata.jsonl` of an export."""

    picture: int
    url: str = Field(description="where the picture is, on this server")
    file_name: str
    sha256: str
    caption: str
    negative_prompt: str
    label: int | None = Field(description="1 keep, 0 reject, none where the votes are tied")
    seed: int | None = Field(description="none where an imported picture's file does not say it; so with the next two")
    steps: int | None
    guidance: float | None
    width: int
    height: int
    version: int
    model: str = Field(description="the base model, or what an imported picture's file names")
    origin: str
    rejects: int
    keeps: int
    decided_by: str = Field(description="votes or curator")
    presses: list[PoolVote]


class PoolPage(BaseModel):
    """A page of the pool, oldest pictures first."""

    pictures: list[PoolPicture]
    next: int | None = Field(description="`after` of the next page; none at the end")


class VersionFigures(BaseModel):
    """A version and what the votes on its sampled pictures say."""

    number: int
    aliases: list[str] = Field(description="champion, challenger")
    is_withdrawn: bool
    votes: int
    raters: int
    judged: int = Field(description="pictures with a verdict")
    rejected: int = Field(description="of those, the rejected ones")
    rate: float | None = Field(description="rejected / judged; none before the first")
    low: float | None = Field(description="95 % Wilson interval of the rate")
    high: float | None
    trained_on: int = Field(description="rejects that it was trained on")
    created_at: datetime


class VersionList(BaseModel):
    """All versions, newest first."""

    versions: list[VersionFigures]


class Champion(BaseModel):
    """Which version draws the next pictures."""

    champion: int
