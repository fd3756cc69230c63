"""Whatever is in a file, reading it ends in a result.

NAYSAYER_FUZZ=10 takes ten seconds for the cuts and ten for the changes of each real picture, and prints how far it
came; NAYSAYER_FUZZ=all takes every cut and 2,000 changes of each, which are hours.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.metadata.found import Found, Status
from feedback.metadata.read import read_bytes
from feedback.metadata.tools.infotext import parse
from tests.feedback.metadata import made
from tests.feedback.metadata.expected import EXPECTED
from tests.feedback.metadata.graphs import read_graph

FUZZ = os.environ.get("NAYSAYER_FUZZ", "")
IS_LONG, LIMIT_S = bool(FUZZ), float("inf" if FUZZ in ("", "all") else FUZZ)
CUTS, CHANGES = 6, 2000 if IS_LONG else 6
HEAD, COARSEST = 16_384, 1 << 16
"""Most changes fall where the metadata are: into the first bytes, or the last."""
Item = TypeVar("Item")
KEYS = (
    "parameters",
    "prompt",
    "workflow",
    "sui_image_params",
    "invokeai_metadata",
    "sd-metadata",
    "Dream",
    "generation_data",
    "Comment",
    "Software",
    "UserComment",
    "use_stable_diffusion_model",
    "parameters-json",
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(
    [
        "text",
        "seed",
        "positive",
        "negative",
        "model",
        "latent_image",
        "images",
        "conditioning_1",
        "pipe",
        "style",
        "lora_1",
        "lora_name",
        "select",
        "ckpt_name",
        "noise",
        "guider",
        "batch_size",
        "width",
        "height",
    ]
)
KINDS = st.sampled_from(
    [
        "KSampler",
        "SaveImage",
        "CLIPTextEncode",
        "ConditioningCombine",
        "Reroute",
        "LoraLoader",
        "ImpactSwitch",
        "EmptyLatentImage",
        "SDXLPromptStyler",
        "FaceDetailer",
        "VAEDecode",
        "CheckpointLoaderSimple",
    ]
)
VALUES = PLAIN | st.tuples(st.integers(0, 9).map(str), st.integers(0, 3)).map(list) | JSON
NODES = st.fixed_dictionaries({"class_type": KINDS, "inputs": st.dictionaries(NAMES, VALUES, max_size=6)})


def is_sound(found: Found) -> None:
    assert isinstance(found, Found)
    assert found.why or found.status is Status.ok
    assert found.seed is None or 0 <= found.seed < 2**64
    assert (found.prompt is not None) or found.status not in (Status.ok, Status.partial)


def changed(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them changed, taken out or put in twice."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.choice([chance.randrange(len(found)), chance.randrange(min(len(found), HEAD))])
        match chance.randrange(4):
            case 0:
                found[place] ^= 1 << chance.randrange(8)
            case 1:
                found[place : place + 4] = chance.randbytes(4)
            case 2:
                del found[place : place + chance.randint(1, 64)]
            case 3:
                found[place:place] = found[place : place + chance.randint(1, 64)]
        if not found:
            break
    return bytes(found)


def every_cut(length: int) -> Iterator[int]:
    """Each place once: the first bytes in order, then the others at a stride that is halved again and again."""
    yield from range(min(HEAD, length))
    yield from range(HEAD, length, COARSEST)
    stride = COARSEST
    while stride > 1:
        yield from range(HEAD + stride // 2, length, stride)
        stride //= 2


def in_time(items: Iterable[Item], say: Callable[[int], None]) -> Iterator[Item]:
    """The items until the time is up; `say` is told how many."""
    end, done = time.monotonic() + LIMIT_S, 0
    for item in items:
        yield item
        done += 1
        if time.monotonic() > end:
            break
    say(done)


@pytest.fixture
def say(capsys, request):
    """Prints a line of a long run at once."""

    def line(words: str) -> None:
        if IS_LONG:
            with capsys.disabled():
                print(f"\n{request.node.callspec.id}: {words}", end="", flush=True)

    return line


def test_every_cut_is_taken_once():
    for length in (0, 5, HEAD, HEAD + 1, HEAD + 3 * COARSEST + 7):
        assert sorted(every_cut(length)) == list(range(length))


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.timeout(0 if IS_LONG else 600)
def test_a_cut_picture_is_broken_and_raises_nothing(name, real_pictures, say):
    data = (real_pictures / name).read_bytes()
    chance = random.Random(name)
    some = [chance.randrange(min(HEAD, len(data) or 1)) for _ in range(CUTS)] if data else []
    cuts = (*some, len(data) - 1, len(data) * 2 // 3) if data else ()
    for cut in in_time(chain(cuts, every_cut(len(data)) if IS_LONG else ()), lambda n: say(f"{n} of {len(data)} cuts")):
        found = read_bytes(data[:cut], name)[0]
        assert found.status is Status.broken, cut
        is_sound(found)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.timeout(0 if IS_LONG else 600)
def test_a_damaged_picture_raises_nothing(name, real_pictures, say):
    data = (real_pictures / name).read_bytes()
    chance = random.Random(name)
    for _ in in_time(range(CHANGES if data else 0), lambda n: say(f"{n} of {CHANGES} changes")):
        is_sound(read_bytes(changed(data, chance), name)[0])


SMALL = [
    (
        "a.png",
        made.png(
            made.text("parameters", "a fox\nSteps: 20, Sampler: x, Seed: 1"), made.international("b", "c"), size=(8, 8)
        ),
    ),
    ("a.jpg", made.jpeg(made.comment("a fox\nSteps: 20, Sampler: x, Seed: 1"), (0xFE, b"x"), size=(8, 8))),
    ("a.webp", made.webp(made.comment("a fox\nSteps: 20, Sampler: x, Seed: 1", ">"), b"<x:xmpmeta/>", size=(8, 8))),
    ("a.png", made.stealth("a fox\nSteps: 20, Sampler: x, Seed: 1", size=(40, 40))),
]


@pytest.mark.parametrize("number", range(len(SMALL)))
def test_every_cut_of_a_small_picture_is_broken(number):
    name, data = SMALL[number]
    assert read_bytes(data, name)[0].prompt == "a fox"
    for cut in range(len(data)):
        assert read_bytes(data[:cut], name)[0].status is Status.broken


@pytest.mark.parametrize("number", range(len(SMALL)))
def test_every_changed_byte_of_a_small_picture_raises_nothing(number):
    name, data = SMALL[number]
    chance = random.Random(number)
    for place in range(len(data)):
        is_sound(read_bytes(data[:place] + chance.randbytes(1) + data[place + 1 :], name)[0])


@settings(max_examples=2000 if IS_LONG else 150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON, min_size=1, max_size=3))
def test_any_json_under_any_key_raises_nothing(values):
    chunks = [
        made.international(key, value if isinstance(value, str) else json.dumps(value)) for key, value in values.items()
    ]
    is_sound(read_bytes(made.png(*chunks, size=(8, 8)), "a.png")[0])


@settings(max_examples=2000 if IS_LONG else 150, deadline=None)
@given(st.dictionaries(st.integers(0, 9).map(str), NODES, min_size=1, max_size=10))
def test_any_graph_ends_in_a_result(graph):
    is_sound(read_graph(graph))


@settings(max_examples=2000 if IS_LONG else 150, deadline=None)
@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_before_sound_settings_leaves_them_sound(prompt, negative):
    text = f"{prompt}\nNegative prompt: {negative}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 8x8"
    assert (parse(text).get("seed"), parse(text).get("steps")) == ("42", "20")


@settings(max_examples=2000 if IS_LONG else 150, deadline=None)
@given(st.binary(max_size=300))
def test_any_exif_raises_nothing(block):
    is_sound(read_bytes(made.jpeg(b"II*\0\x08\0\0\0" + block, size=(8, 8)), "a.jpg")[0])


def test_reading_all_pictures_is_quick(real_pictures):
    paths = [real_pictures / name for name in EXPECTED]
    data = [(path.name, Path(path).read_bytes()) for path in paths]
    began = time.process_time()
    for name, one in data:
        read_bytes(one, name)
    assert time.process_time() - began < 0.2 * len(data)
