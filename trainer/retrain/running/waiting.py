"""A retrain that waits for its device: its run begins then, so that pages tell it, and a person may stop it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from sqlalchemy import Engine

from feedback.retrain.progress import Teller, last_stages, recorder
from feedback.retrain.stages import WAIT, Phase, Stage
from feedback.runs import is_stop_asked
from store.errors import Interrupted
from store.process import catch_stop_signals
from store.process.turns import RETRAIN, Stay, Turn
from store.settings import Settings
from store.tables import Run
from trainer.base.weights import pin_revision
from trainer.card.turn import LOOK_S, WAITING, WaitLine, turn_on_device

Begin = Callable[[ExitStack], Run]
"""Begins the run; how it ends, if not well, is recorded when the stack closes."""


class Waited:
    """How a retrain came to its turn, None where it needs none; `run` is its run, when it had to wait."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.turn: Turn | None = None


@contextmanager
def taking_turn(engine: Engine, settings: Settings, teller: Teller, begin: Begin) -> Iterator[Waited]:
    """Inside, the retrain has its turn. While it waits for it, a stage of its run tells for whom.

    Raises Interrupted when it is asked to stop before.
    """
    waited, tell = Waited(), None
    expected = sum(stage.seconds for stage in last_stages(engine))
    with ExitStack() as held:
        with ExitStack() as waiting, WaitLine(settings) as line:

            def wait(others: Sequence[Stay]) -> None:
                nonlocal tell
                if tell is None:
                    waited.run = begin(held)
                    tell = _begin_to_tell(engine, waited.run, teller, waiting)
                tell(line.tell(others))

            own = turn_on_device(pin_revision(engine, settings), RETRAIN, wait, expected)
            waited.turn = held.enter_context(own)
        yield waited


def _begin_to_tell(engine: Engine, run: Run, teller: Teller, waiting: ExitStack) -> Callable[[str], None]:
    """A function that tells what the run waits for, and waits a little; it raises Interrupted when asked to stop."""
    assert run.id is not None
    number, stop = run.id, waiting.enter_context(catch_stop_signals())
    teller.report = recorder(engine, run)
    teller.should_stop = lambda: stop.is_set() or is_stop_asked(engine, number)
    teller.progress.stages.insert(0, Stage(WAITING, Phase.turn, WAIT, 0))
    tell_work = waiting.enter_context(teller.stage(WAITING, can_stop=False))

    def tell(note: str) -> None:
        teller.note(WAITING, note)
        tell_work(0)
        if teller.should_stop():
            raise Interrupted(f"while {WAITING}", has_begun=run.manifest_id is not None)
        stop.wait(LOOK_S)

    return tell
