"""A process's turn on its device: beside others where there is room, else one after the other."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import NamedTuple, Self

import torch
from tqdm import tqdm

from store.process.turns import RETRAIN, WORKER, Device, Stay, Turn, Wait, default_folder, staying
from store.settings import Settings
from trainer.base.free import Memory, memory_of
from trainer.base.model import Base, load_base, pick_device
from trainer.base.pipeline import LOAD_ERRORS
from trainer.base.weights import find_sources
from trainer.card.choosing import choice_of, least, need_of
from trainer.card.sizes import GB, sizes_of

WAITING = "waiting for the device"
LOOK_S, SAY_EVERY_S = 0.5, 5.0
"""How often a process that waits looks again, and how often it says so."""
GONE_WITHIN_S = 20.0
"""How long a process that has left may take to end; a busy machine needs seconds."""
SOON_S = 60.0
"""How long a command that a person waits for is taken to need the device."""


class Place(NamedTuple):
    """A device as processes name it, and as people do."""

    device: torch.device
    shared: Device
    words: str


def place_of(settings: Settings) -> Place:
    """The device that the settings name. Raises ModelError when torch cannot use it."""
    device = pick_device(settings.device)
    folder, name, words = settings.turns_dir or default_folder(), device.type, "the CPU"
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        name, words = f"cuda-{found.uuid}", "the card"
    elif device.type == "mps":
        words = "the GPU"
    return Place(device, Device(folder, f"device-{name}"), words)


def has_room(memory: Memory, needs: int, others: Sequence[Stay]) -> bool:
    """Whether a model that needs so many bytes fits beside those of the others.

    It must fit into what is free now, and into what the others leave of the whole once they take all that they need: a
    retrain that has just loaded has not taken it yet.
    """
    return needs <= memory.free and needs <= memory.whole - sum(one.needs for one in others)


def left_beside(place: Place) -> Memory:
    """The memory of the device, of which others will still take what they need and do not hold yet."""
    memory = memory_of(place.device)
    left = memory.whole - sum(one.needs for one in place.shared.beside())
    return memory._replace(free=max(0, min(memory.free, left)))


def needs_of(what: str, settings: Settings, device: torch.device) -> int:
    """Bytes that a process of that kind needs at least: a retrain draws as well, others only draw.

    0 for a model whose files cannot be read, as loading it will explain.
    """
    with suppress(*LOAD_ERRORS):
        sizes = sizes_of(find_sources(settings), settings, device)
        need = need_of(choice_of(settings) if settings.is_builtin else least(settings), sizes)
        return round(need.most if what == RETRAIN else need.draw)
    return 0


def tell_loaded(turn: Turn | None, base: Base) -> None:
    """The model is there, with all that was left empty chosen; others may load now, beside what it takes so."""
    if turn:
        turn.loaded(needs_of(turn.own.what, base.settings, base.device))


@contextmanager
def turn_on_device(
    settings: Settings, what: str, wait: Wait, expected_s: float = 0.0, *, asks: bool = True
) -> Iterator[Turn | None]:
    """A turn on the device of the settings, until the block ends; with `asks` a worker makes room for it.

    `wait` is called again and again until there is room. With NAYSAYER_TURNS=never nobody is asked, and it is None.
    """
    if settings.turns == "never":
        yield None
        return
    place = place_of(settings)
    needs = needs_of(what, settings, place.device)
    own = Stay(what, store_of(settings), needs, asks, expected_s, _group())

    def fits(others: Sequence[Stay]) -> bool:
        return settings.turns == "auto" and has_room(memory_of(place.device), needs, others)

    with staying(place.shared, own, fits, wait) as turn:
        wait_until_free(needs, partial(memory_of, place.device))
        yield turn


def wait_until_free(needs: int, look: Callable[[], Memory], most_s: float = GONE_WITHIN_S) -> None:
    """Returns once so many bytes are free: a process that left, or was killed, may still be giving its memory back.

    At once where the whole memory is smaller, and in any case after `most_s` seconds: others may hold it for long.
    """
    until, memory = time.monotonic() + most_s, look()
    while memory.free < needs <= memory.whole and time.monotonic() < until:
        time.sleep(LOOK_S / 5)
        memory = look()


@contextmanager
def loaded_in_turn(settings: Settings, what: str, settle: Callable[[], Settings]) -> Iterator[Base]:
    """The base, in a turn of a command that `what` names; a line on the terminal says for whom it waits.

    `settle` gives the settings to load it under, once there is room.
    """
    with ExitStack() as held:
        with WaitLine(settings) as line:

            def wait(others: Sequence[Stay]) -> None:
                line.tell(others)
                time.sleep(LOOK_S)

            turn = held.enter_context(turn_on_device(settings, what, wait, SOON_S))
        base = load_base(settle())
        tell_loaded(turn, base)
        yield base


class Taken(Exception):
    """Others have the device, and this model does not fit beside theirs."""


@contextmanager
def loaded_if_free(settings: Settings, what: str) -> Iterator[Base]:
    """The base, where there is room for it now. Raises Taken where there is not; nobody is asked to leave."""

    def give_up(others: Sequence[Stay]) -> None:
        names = " and ".join(one.words(store_of(settings)) for one in others) or "another process"
        raise Taken(f"the model was not loaded, because {names} has the device; run this again when it has ended")

    with turn_on_device(settings, what, give_up, asks=False) as turn:
        base = load_base(settings)
        tell_loaded(turn, base)
        yield base


def card_words(settings: Settings) -> tuple[bool, str]:
    """Whether a retrain fits on the device of the settings, and how it goes with the worker, in a sentence."""
    place = place_of(settings)
    whole = memory_of(place.device).whole
    drawing, fitting = (needs_of(what, settings, place.device) for what in (WORKER, RETRAIN))
    need = f"about {drawing / GB:.1f} GB to draw and {fitting / GB:.1f} GB to retrain"
    sizes = f"{need}; {place.words} has {whole / GB:.1f} GB"
    if drawing + fitting <= whole and settings.turns != "always":
        return True, f"worker and retrain fit together: {sizes}"
    if settings.turns == "never":
        return False, f"worker and retrain do not fit together ({sizes}); set NAYSAYER_TURNS to auto"
    if fitting <= whole:
        return True, f"worker and retrain take turns: {sizes}; the worker fills the queue before a retrain"
    return False, f"{'a retrain' if drawing <= whole else 'the model'} does not fit: {sizes}; {_lower(settings)}"


def _lower(settings: Settings) -> str:
    """What to set or to lower, the mildest first."""
    less = [] if settings.gradient_checkpointing else ["set NAYSAYER_GRADIENT_CHECKPOINTING=1"]
    less += ["set NAYSAYER_BASE_QUANTIZATION=fp8"] if settings.base_quantization == "none" else []
    return ", or ".join([*less, "lower the side of the pictures (NAYSAYER_WIDTH_PX, NAYSAYER_HEIGHT_PX)"])


class WaitLine:
    """A line on the terminal that says who has the device; it comes with the first word."""

    def __init__(self, settings: Settings) -> None:
        self.store, self._bar = store_of(settings), ExitStack()
        self._shown: tqdm | None = None
        self._note = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def tell(self, others: Sequence[Stay]) -> str:
        """Says who they are; what it says, in words."""
        if self._shown is None:
            self._shown = self._bar.enter_context(tqdm(bar_format="{desc} [{elapsed}]", mininterval=SAY_EVERY_S))
        note = f"{' and '.join(one.words(self.store) for one in others) or 'another process'} has it"
        if note == self._note:
            self._shown.update(0)
        else:
            self._note = note
            self._shown.set_description_str(f"{WAITING}: {note}")
        return note


def store_of(settings: Settings) -> str:
    """The store as processes of this machine name it."""
    return str(settings.data_dir.resolve())


def _group() -> str:
    """The processes of one launcher, which fit together, share a name."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ""
    return f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
