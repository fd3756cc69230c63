"""Graphs as the editor saves them, turned into those that run: muted and bypassed nodes, subgraphs, loose values."""

import re
from collections.abc import Mapping
from typing import Any

from feedback.metadata.graph.nodes import MOST_NODES, Graph, Link, Node

WIDGETS = {
    "KSampler": ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "add_noise",
        "noise_seed",
        "steps",
        "cfg",
        "sampler_name",
        "scheduler",
        "start_at_step",
        "end_at_step",
        "return_with_leftover_noise",
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"),
    "RandomNoise": ("noise_seed",),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("ascore", "width", "height", "text"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "CheckpointLoader": ("config_name", "ckpt_name"),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "LatentUpscale": ("upscale_method", "width", "height", "crop"),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "PrimitiveNode": ("value",),
    "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",),
    "PrimitiveInt": ("value",),
}
"""Widgets of core nodes in their order; newer files name them beside the inputs."""
CONTROLS = ("fixed", "increment", "decrement", "randomize")
CHOICE = re.compile(r"(?<!\\)\{[^{}|]*\|[^{}]*\}")
MUTED, BYPASSED = 2, 4
INSIDE, OUTSIDE = "-10", "-20"
MOST_DEPTH = 8


def graph_of_editor(value: object) -> Graph:
    """The graph of an editor's file; empty for anything else."""
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list):
        return {}
    definitions = value.get("definitions")
    listed = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    subgraphs = {str(one.get("id")): one for one in _objects(listed) if isinstance(one.get("nodes"), list)}
    flat = _Flat(subgraphs)
    flat.add(value, "", MOST_DEPTH)
    return {key: _with_links(node, flat.shortcuts) for key, node in flat.nodes.items()}


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


class _Flat:
    """A graph without subgraphs; `shortcuts` lead through what only passes values on."""

    def __init__(self, subgraphs: Mapping[str, Any]) -> None:
        self.subgraphs = subgraphs
        self.nodes: dict[str, Node] = {}
        self.shortcuts: dict[Link, Link] = {}
        self.left = MOST_NODES

    def add(self, scope: Mapping[str, Any], prefix: str, depth: int) -> None:
        """Adds a scope's nodes, their numbers after `prefix`."""
        wires = dict(filter(None, map(_wire, _list(scope.get("links")))))
        for raw in _objects(scope["nodes"]):
            self.left -= 1
            if self.left < 0:
                return
            inputs = _objects(raw.get("inputs"))
            sources = [_at(wires.get(str(one.get("link"))), prefix) for one in inputs]
            self._add_node(raw, f"{prefix}{raw.get('id')}", inputs, sources, depth)

    def _add_node(
        self, raw: dict[str, Any], key: str, inputs: list[dict[str, Any]], sources: list[Link | None], depth: int
    ) -> None:
        kind = str(raw.get("type"))
        if raw.get("mode") == BYPASSED:
            self._bypass(raw, key, inputs, sources)
        elif kind in self.subgraphs and depth and raw.get("mode") != MUTED:
            self.shortcuts |= {Link(f"{key}:{INSIDE}", slot): one for slot, one in enumerate(sources) if one}
            inner = self.subgraphs[kind]
            self.add(inner, f"{key}:", depth - 1)
            for slot, source in filter(None, map(_outlet, _list(inner.get("links")))):
                self.shortcuts[Link(key, slot)] = Link(f"{key}:{source.node}", source.slot)
        elif raw.get("mode") != MUTED:
            values = _values(kind, raw.get("widgets_values"), inputs)
            linked = {str(one.get("name")): link for one, link in zip(inputs, sources, strict=True) if link}
            # What a node of another pack puts there unseen ("Anything Everywhere") is not in the file.
            loose = {str(one.get("name")): None for one in inputs if one.get("type") == "CONDITIONING"}
            self.nodes[key] = Node(key, kind, loose | values | linked)

    def _bypass(self, raw: dict[str, Any], key: str, inputs: list[dict[str, Any]], sources: list[Link | None]) -> None:
        """A bypassed node's outputs are its first inputs of the same type."""
        named = [(one.get("type"), link) for one, link in zip(inputs, sources, strict=True) if link]
        for slot, output in enumerate(_objects(raw.get("outputs"))):
            source = next((link for kind, link in named if kind == output.get("type")), None)
            if source is not None:
                self.shortcuts[Link(key, slot)] = source


def _at(link: Link | None, prefix: str) -> Link | None:
    return None if link is None else Link(f"{prefix}{link.node}", link.slot)


def _wire(link: object) -> tuple[str, Link] | None:
    """A link's number and where it comes from; written as a list or as an object."""
    if isinstance(link, list) and len(link) >= 5 and isinstance(link[2], int):
        return str(link[0]), Link(str(link[1]), link[2])
    if isinstance(link, dict) and isinstance(link.get("origin_slot"), int):
        return str(link.get("id")), Link(str(link.get("origin_id")), link["origin_slot"])
    return None


def _outlet(link: object) -> tuple[int, Link] | None:
    """A subgraph's output and what leads there."""
    wire = _wire(link)
    if (
        isinstance(link, dict)
        and wire
        and str(link.get("target_id")) == OUTSIDE
        and isinstance(link.get("target_slot"), int)
    ):
        return link["target_slot"], wire[1]
    return None


def _values(kind: str, widgets: object, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """The values in a node's widgets by name, texts as they are sent: without comments."""
    if isinstance(widgets, dict):
        return {str(name): _sent(value) for name, value in widgets.items()}
    if not isinstance(widgets, list):
        return {}
    named = [str(one["widget"].get("name")) for one in inputs if isinstance(one.get("widget"), dict)]
    names = WIDGETS.get(kind) or (*named,)
    values = list(widgets)
    found: dict[str, Any] = {}
    for name in names:
        if not values:
            break
        found[name] = _sent(values.pop(0))
        if (
            name in ("seed", "noise_seed", "value")
            and values
            and (values[0] in CONTROLS or isinstance(values[0], bool))
        ):
            values.pop(0)
    return found


def _sent(value: object) -> object:
    """The value as the editor sends it; a text with choices in braces becomes None, for which one was drawn is lost."""
    if not isinstance(value, str):
        return value
    return None if CHOICE.search(value) else _without_comments(value)


def _without_comments(text: str) -> str:
    """The text without what stands between `/*` and `*/`.

    >>> _without_comments("a fox /* red? */in snow")
    'a fox in snow'
    """
    head, *parts = text.split("/*")
    return head + "".join(part.partition("*/")[2] if "*/" in part else f"/*{part}" for part in parts)


def _with_links(node: Node, shortcuts: Mapping[Link, Link]) -> Node:
    inputs: dict[str, Any] = {}
    for name, value in node.inputs.items():
        for _ in range(MOST_DEPTH * 4):
            if not isinstance(value, Link) or value not in shortcuts:
                break
            value = shortcuts[value]
        inputs[name] = value
    return Node(node.id, node.kind, inputs)
