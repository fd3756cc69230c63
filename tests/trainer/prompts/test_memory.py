from dataclasses import replace

import pytest
import torch

from feedback.sample.work import Job
from trainer.lora.tensors import TRAINED
from trainer.lora.text_encoders import PromptEmbeds
from trainer.prompts.encoding import encode_texts
from trainer.prompts.memory import TextMemory
from trainer.sample.sampler import sample_latents

JOBS = [Job("a big red star", 1), Job("a small green hand", 2)]


def recall(base, memory: TextMemory, texts: list[str]) -> tuple[list[PromptEmbeds], list[str]]:
    """What the memory gives for the texts, and which of them were encoded."""
    encoded: list[str] = []

    def encode(some):
        encoded.extend(some)
        return encode_texts(base.pipe, some, is_weighted=True)

    with torch.inference_mode():
        return memory.read(texts, encode, base.pipe.unet.device), encoded


def test_a_text_is_encoded_once_and_comes_back_bit_by_bit(base):
    memory = TextMemory()
    first, encoded = recall(base, memory, ["a red cat", "a red cat", "a blue hand"])
    assert encoded == ["a red cat", "a blue hand"]
    again, encoded = recall(base, memory, ["a blue hand", "a red cat"])
    assert encoded == []
    assert torch.equal(again[0].hidden, first[2].hidden)
    assert torch.equal(again[1].pooled, first[0].pooled)
    with torch.inference_mode():
        [own] = encode_texts(base.pipe, ["a red cat"], is_weighted=True)
    assert torch.equal(first[0].hidden, own.hidden)


def test_the_texts_that_were_not_read_for_longest_are_forgotten(base):
    memory = TextMemory(2)
    recall(base, memory, ["a", "b"])
    recall(base, memory, ["a", "c"])
    assert recall(base, memory, ["a", "c"])[1] == []
    assert recall(base, memory, ["b"])[1] == ["b"]


@pytest.mark.parametrize("rule", ["plain", "same-prompt", "negative-half", "woolf"])
def test_a_picture_is_the_same_whether_its_text_was_read_before_or_not(taught, rule):
    drawing = replace(taught.plain, rule=rule, strength=0.0 if rule == "plain" else 1.0, num_inference_steps=2)
    alone = sample_latents(taught, JOBS[:1], drawing, TRAINED)
    calls: list[int] = []
    counter = taught.pipe.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    again = sample_latents(taught, JOBS[:1], drawing, TRAINED)
    counter.remove()
    assert torch.equal(again, alone)
    assert len(calls) == (0 if rule == "plain" else 1)
