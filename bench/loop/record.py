"""The record of the bench: what its file holds."""

from pydantic import BaseModel, ConfigDict, Field


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Rate(_Entry):
    """The share of n pictures, with its 95 % interval (Wilson)."""

    rate: float
    n: int
    low: float
    high: float


class Change(_Entry):
    """The change of the share wrong on the same prompts and seeds, after minus before, with its 95 % interval."""

    paired: float
    paired_low: float
    paired_high: float
    mended: int
    broke: int


class Method(Change, Rate):
    """One method: its share wrong, the change against the base, and how it came about.

    `diversity` and `diversity_with_mistakes` are relative to the base; `adherence` is the share that follows the
    prompt. `faults` counts the pictures with each fault. `strengths` and `guidance_scales` have one value a replicate.

    `time` is how long a picture takes, with all its `drawings` and their check, relative to one drawing of the default
    method. `auc` is how well the LoRA tells which of the method's own pictures, drawn once, are wrong; `base_auc` which
    of the base's. `within` counts only pairs of pictures of the same prompt.
    """

    diversity: float
    diversity_with_mistakes: float
    adherence: float
    faults: dict[str, int]
    votes: int
    train_seconds: float
    strengths: list[float]
    guidance_scales: list[float]
    replicates: int
    drawings: float | None = None
    time: float | None = None
    auc: float | None = None
    auc_within: float | None = None
    base_auc: float | None = None
    base_auc_within: float | None = None
    default_against_it: Change | None = None
    last_default_against_it: Change | None = None


class Kind(Change):
    """Pictures with one kind of fault: so many of the base's, so many of what ships, and the change."""

    before: int
    after: int


class HeldOut(_Entry):
    """What nobody rated: pictures of one subject judged wrong, and pictures of another, `shown_by`, with one fault; at
    the base, after a round."""

    subject: str
    fault: str
    shown_by: str
    subject_before: Rate = Field(
        validation_alias="subject, held-out base", serialization_alias="subject, held-out base"
    )
    fault_before: Rate = Field(validation_alias="fault, held-out base", serialization_alias="fault, held-out base")
    subject_after: Rate = Field(validation_alias="subject, held-out", serialization_alias="subject, held-out")
    fault_after: Rate = Field(validation_alias="fault, held-out", serialization_alias="fault, held-out")


class WorldRecord(_Entry):
    """What was found on one world.

    `methods` maps a row's label to it. What is measured after every round also stands under its name without a round,
    with its last. `default` is the name of what ships, and `kinds` what it changed, by kind of fault.
    """

    default: str
    rounds: int
    replicates: int
    negative_prompt: str
    methods: dict[str, Method]
    kinds: dict[str, Kind] = {}
    held_out: HeldOut | None = None


class Record(_Entry):
    """Everything the bench found, by the world's name."""

    votes_a_round: int
    strengths_tried: list[float]
    machine: str
    date: str
    worlds: dict[str, WorldRecord]

    def to_json(self, indent: int | None = None) -> str:
        """The record as one JSON object."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=indent)
