"""Graphs of ComfyUI as it runs them and as its editor keeps them."""

import json
from typing import Any

from feedback.metadata.found import Found
from feedback.metadata.read import read_bytes
from tests.feedback.metadata import made

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def simple(**other: dict[str, Any]) -> Graph:
    """A graph of one sampler; `other` replaces and adds nodes (`_7` is node 7)."""
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="SDXL/fox.safetensors"),
        "2": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "3": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        "4": node("CLIPTextEncode", text="blurry", clip=["1", 1]),
        "5": sampler(),
        "6": node("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": node("SaveImage", images=["6", 0], filename_prefix="x"),
        **{key.removeprefix("_"): value for key, value in other.items()},
    }


def sampler(kind: str = "KSampler", **other: Any) -> dict[str, Any]:
    settings = {"seed": 42, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0}
    links = {"model": ["1", 0], "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["2", 0]}
    return node(kind, **settings | links | other)


def read_graph(graph: object, size: tuple[int, int] = (64, 64), key: str = "prompt", **more: str) -> Found:
    """What is read of a PNG with this graph."""
    chunks = [made.text(name, value) for name, value in {key: json.dumps(graph), **more}.items()]
    return read_bytes(made.png(*chunks, size=size), "a.png")[0]
