"""Simulated raters: they see what a rater sees, the picture and its prompt, and vote as the rating page does."""

import io
import random
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import typer
from PIL import Image
from sqlalchemy import Engine
from tqdm import tqdm

from bench.loop.worlds import PROMPTS_A_SUBJECT, World, find_world
from feedback.policy import promotion_mode, rejects_needed
from feedback.pool.pool import how_due
from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.prompts import add_prompts, has_list
from feedback.versions import champion, promote
from store.errors import BadRequest, Busy
from store.files import only_one
from store.layout import Layout, layout_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Reason, Verdict, utc_now

AT_ONCE = 4
WAIT_S = 0.5

# How people rate, from published ratings of generated pictures; `naysayer bench ratings FOLDER` computes these figures.
SLIP_RATE = 0.158
"""ImagenHub, text to image, perceptual quality, 1,379 pictures with three raters each: two raters agree on 73.4 %, as
they would if each gave the wrong verdict on 15.8 % (agreement = 1 - 2e(1 - e))."""
PACE_S = 8.25
"""GenEval, 2,000 pages: median 57.8 s for seven questions about a picture, so 8.25 s for one."""
SPREAD = 0.853
"""Sigma of the log-normal with the quartiles of those times."""


@dataclass(frozen=True)
class Habits:
    """How the raters behave: shares of slips and skips, median seconds for a vote, and the seed of their chance.

    They know one `world`, whose judge tells them what is wrong. With `blind_share` they do not look: they reject that
    share of the pictures at random. They skip a picture whose only fault is `unseen_fault`.
    """

    error_rate: float = SLIP_RATE
    skip_rate: float = 0.0
    pace_s: float = 0.0
    seed: int = 0
    blind_share: float | None = None
    unseen_fault: str = ""
    world: World = field(default_factory=lambda: find_world("drawn"))


def simulate(settings: Settings, raters: int, votes: int, habits: Habits, *, retrain_when_due: bool = True) -> None:
    """Gives `votes` votes by `raters` raters in turn, drawing pictures and retraining as the loop would.

    If a worker already runs on this store, the worker draws. Raises BadRequest unless the model is the world's,
    because its judge knows nothing else.
    """
    world = habits.world
    if settings.model != world.model:
        raise BadRequest(
            f"simulated raters of the world {world.name} can judge only its own model, but NAYSAYER_MODEL is "
            f"{settings.model!r}; set it to {world.model}, or name another world"
        )
    engine, layout = open_store(settings), layout_of(settings)
    chance = random.Random(habits.seed)
    with ExitStack() as stack, tqdm(total=votes, desc="voting", unit="vote") as bar:
        draw = _drawer(stack, engine, layout, settings)
        if not has_list(engine):
            count = PROMPTS_A_SUBJECT * len(world.subjects)
            add_prompts(engine, world.prompts(0, count, world.subjects, ()), source=world.name)
        given = 0
        while given < votes:
            name = f"simulated rater {given // AT_ONCE % raters + 1}"
            shown = next_images(engine, name, Terms.of(settings), count=min(AT_ONCE, votes - given))
            record_votes(engine, name, [_press(layout, image, habits, chance) for image in shown], Terms.of(settings))
            given += len(shown)
            bar.update(len(shown))
            if retrain_when_due and how_due(engine, rejects_needed(settings), settings.rater_share).is_due:
                _retrain_and_promote(engine, settings)
            if not shown:
                draw()


def _press(layout: Layout, image: Shown, habits: Habits, chance: random.Random) -> Press:
    shown_at = utc_now()
    time.sleep(habits.pace_s * chance.lognormvariate(0, SPREAD))
    with Image.open(io.BytesIO(layout.blobs.get(image.sha256))) as picture:
        faults = habits.world.judge(picture.convert("RGB"), image.prompt)
    is_wrong = bool(faults) if habits.blind_share is None else chance.random() < habits.blind_share
    if chance.random() < habits.error_rate:
        is_wrong = not is_wrong
    verdict = Verdict.reject if is_wrong else Verdict.keep
    if chance.random() < habits.skip_rate or set(faults) == {habits.unseen_fault}:
        verdict = Verdict.skip
    named = map(Reason, habits.world.reasons(faults, image.prompt)) if verdict is Verdict.reject else ()
    return Press(uuid.uuid4().hex, image.image_id, verdict, "simulated", shown_at, utc_now(), frozenset(named))


def _drawer(stack: ExitStack, engine: Engine, layout: Layout, settings: Settings) -> Callable[[], object]:
    """A function that brings new pictures: it draws them, or it waits for the worker that already runs."""
    try:
        stack.enter_context(only_one(layout.root / "worker.lock", "a worker runs"))
    except Busy:
        return lambda: time.sleep(WAIT_S)
    from trainer.sample.leading.leader import after_drawing
    from trainer.sample.worker import draw_and_record, plan, prepare

    sampler = prepare(engine, layout, settings)

    def draw() -> None:
        draw_and_record(engine, layout, sampler, plan(engine, settings, settings.queue_target))
        after_drawing(engine, layout, settings)

    return draw


def _retrain_and_promote(engine: Engine, settings: Settings) -> None:
    from trainer.retrain.retrain import retrain

    try:
        outcome = retrain(settings)
    except Busy:
        time.sleep(WAIT_S)
        return
    typer.echo(outcome.sentence)
    is_auto = promotion_mode(settings) == "auto"
    if is_auto and outcome.version is not None and champion(engine).number != outcome.version:
        promote(engine, outcome.version, "promoted by the simulation")
