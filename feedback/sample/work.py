"""A piece of work for the sampler: what is drawn, how, and how much is wanted."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

from feedback.sample.conditions import UNKNOWN, Conditions
from store.files import sha256_of
from store.tables import Origin


class Job(NamedTuple):
    """One picture to draw: the same prompt, seed and version give the same picture."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Work:
    """One picture to draw."""

    prompt_id: int
    prompt: str
    seed: int
    version: int
    origin: Origin

    @property
    def job(self) -> Job:
        return Job(self.prompt, self.seed)


@dataclass(frozen=True)
class Drawing:
    """How a picture was drawn; with prompt, seed and version it names the picture."""

    rule: str
    strength: float
    guidance_scale: float
    num_inference_steps: int
    width: int
    height: int
    negative_prompt: str = ""
    conditions: Conditions = UNKNOWN


@dataclass(frozen=True)
class Wanted:
    """How much to draw: at most `batch` pictures, while fewer than `target` are free to be rated.

    `base_slice` of them come from the plain base. The default evaluation set has `pairs` pairs. While there is a
    challenger, `evaluation_share` of the queue are its pictures and the champion's, of the evaluation set.
    A picture is reserved for a rater for `lease_s`. Raters are asked about pictures chosen for what their votes teach
    in `ask_share` of the cases (`feedback.sample.asking`). With `only_queue` the same-seed grids wait.
    """

    target: int
    batch: int
    base_slice: float
    pairs: int
    evaluation_share: float = 0.0
    conditions: Conditions = UNKNOWN
    lease_s: float = 366 * 86_400
    ask_share: float = 0.0
    only_queue: bool = False


def work_key(work: Work, drawing: Drawing) -> str:
    """SHA-256 that names a picture: the same work is never recorded twice."""
    own = asdict(work) | asdict(drawing) | {"conditions": drawing.conditions.body}
    if drawing.conditions == UNKNOWN:
        del own["conditions"]
    return sha256_of(repr(sorted(own.items())).encode())


def claim_key(work: Work) -> str:
    """SHA-256 that names a piece of work, however it is drawn."""
    return sha256_of(repr((work.prompt_id, work.seed, work.version, work.origin.value)).encode())
