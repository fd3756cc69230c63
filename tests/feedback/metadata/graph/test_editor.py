"""ComfyUI's graphs as the editor keeps them, without the one that ran."""

import json
from typing import Any

import pytest

from feedback.metadata.found import Status
from tests.feedback.metadata.graphs import read_graph


def node(
    key: int | str, kind: str, widgets: Any = None, inputs: dict[str, int | None] | None = None, **more: Any
) -> dict[str, Any]:
    named = [{"name": name, "link": link, "type": name.upper()} for name, link in (inputs or {}).items()]
    return {"id": key, "type": kind, "mode": 0, "inputs": named, "widgets_values": widgets or [], **more}


NODES = [
    node(1, "CheckpointLoaderSimple", ["fox.safetensors"]),
    node(2, "EmptyLatentImage", [64, 64, 1]),
    node(3, "CLIPTextEncode", ["a fox /* red */"], {"clip": 1}),
    node(4, "CLIPTextEncode", ["blurry"], {"clip": 2}),
    node(
        5,
        "KSampler",
        [42, "randomize", 20, 7, "euler", "karras", 1],
        {"model": 3, "positive": 4, "negative": 5, "latent_image": 6},
    ),
    node(6, "VAEDecode", [], {"samples": 7, "vae": 8}),
    node(7, "SaveImage", ["x"], {"images": 9}),
    node(8, "Note", ["a wolf"]),
]
LINKS = [
    [1, 1, 1, 3, 0, "CLIP"],
    [2, 1, 1, 4, 0, "CLIP"],
    [3, 1, 0, 5, 0, "MODEL"],
    [4, 3, 0, 5, 1, "CONDITIONING"],
    [5, 4, 0, 5, 2, "CONDITIONING"],
    [6, 2, 0, 5, 3, "LATENT"],
    [7, 5, 0, 6, 0, "LATENT"],
    [8, 1, 2, 6, 1, "VAE"],
    [9, 6, 0, 7, 0, "IMAGE"],
]


def read(nodes: list[dict[str, Any]], links: list[Any], **more: Any):
    return read_graph({"nodes": nodes, "links": links, "version": 0.4, **more}, key="workflow")


def with_nodes(*nodes: dict[str, Any]) -> list[dict[str, Any]]:
    kept = {one["id"]: one for one in (*NODES, *nodes)}
    return [*kept.values()]


def test_the_editors_graph_is_read():
    found = read(NODES, LINKS)
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, "a fox", "blurry", 42)
    assert (found.steps, found.guidance_scale, found.sampler, found.model) == (20, 7.0, "euler karras", "fox")


def test_links_written_as_objects_are_read():
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    assert read(NODES, [dict(zip(keys, link, strict=True)) for link in LINKS]).prompt == "a fox"


def test_choices_that_the_editor_drew_are_lost():
    found = read(with_nodes(node(3, "CLIPTextEncode", ["a {fox|wolf}"], {"clip": 1})), LINKS)
    assert found.status is Status.unrecognised


def test_a_loose_value_is_followed():
    nodes = with_nodes(
        node(3, "CLIPTextEncode", ["old"], {"clip": 1, "text": 20}), node(9, "PrimitiveNode", ["a fox", "fixed"])
    )
    assert read(nodes, [*LINKS, [20, 9, 0, 3, 1, "STRING"]]).prompt == "a fox"


def test_a_muted_saver_saves_nothing_and_a_bypassed_node_passes_on():
    lora = node(9, "LoraLoader", ["ink.safetensors", 1, 1], {"MODEL": 21}, mode=4, outputs=[{"type": "MODEL"}])
    muted = [node(10, "SaveImage", ["y"], {"images": 22}, mode=2), node(11, "CLIPTextEncode", ["a wolf"], mode=2)]
    links = [link for link in LINKS if link[0] != 3]
    more = [[3, 9, 0, 5, 0, "MODEL"], [21, 1, 0, 9, 0, "MODEL"], [22, 6, 0, 10, 0, "IMAGE"]]
    found = read(with_nodes(lora, *muted), links + more)
    assert (found.status, found.model, found.loras) == (Status.ok, "fox", ())


@pytest.mark.parametrize("depth", [1, 2])
def test_subgraphs_are_opened(depth):
    inner = {
        "id": "inner",
        "nodes": [node(31, "CLIPTextEncode", ["a fox"], {"clip": 1})],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 31, "target_slot": 0},
            {"id": 2, "origin_id": 31, "origin_slot": 0, "target_id": -20, "target_slot": 0},
        ],
    }
    outer = inner | {"id": "outer", "nodes": [node(31, "inner", [], {"clip": 1})]}
    nodes = with_nodes(node(3, "inner" if depth == 1 else "outer", [], {"clip": 1}))
    found = read(nodes, LINKS, definitions={"subgraphs": [inner, outer]})
    assert (found.status, found.prompt, found.seed) == (Status.ok, "a fox", 42)


def test_subgraphs_inside_themselves_end():
    inner = {"id": "inner", "nodes": [node(key, "inner") for key in range(1000)], "links": []}
    assert read(with_nodes(node(3, "inner")), LINKS, definitions={"subgraphs": [inner]}).status is Status.unrecognised


def test_newer_files_name_their_widgets():
    custom = node(3, "MyTextEncode", ["a fox", True], {"clip": 1})
    custom["inputs"] += [{"name": name, "link": None, "widget": {"name": name}} for name in ("text", "flag")]
    assert read(with_nodes(custom), LINKS).prompt == "a fox"


def test_the_graph_that_ran_counts_more():
    ran = {"3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a wolf"}}}
    found = read_graph({"nodes": NODES, "links": LINKS}, key="workflow", prompt=json.dumps(ran))
    assert found.prompt == "a fox"  # what ran saves nothing, so that the editor's graph is asked


def test_a_prompt_that_another_pack_puts_there_unseen_is_not_taken_for_an_empty_one():
    loose = node(
        5,
        "KSampler",
        [42, "randomize", 20, 7, "euler", "karras", 1],
        {"model": 3, "positive": 4, "negative": None, "latent_image": 6},
    )
    for one in loose["inputs"]:
        one["type"] = "CONDITIONING" if one["name"] in ("positive", "negative") else one["type"]
    everywhere = node(12, "Anything Everywhere", [], {"anything": 5})
    found = read(with_nodes(loose, everywhere), LINKS)
    assert (found.status, found.prompt) == (Status.unrecognised, None)
