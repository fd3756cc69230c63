"""Samplers of a graph: which one drew the saved picture, and from what."""

import re
from collections.abc import Iterable
from typing import Any

from feedback.metadata.graph.nodes import Graph, Link, Node, upstream
from feedback.metadata.values import as_seed, as_size, as_whole, size_in

SAMPLER = re.compile(r"sampler|detailer|ultimatesdupscale|unsampler|iterativeupscale|iterative")
NO_SAMPLER = re.compile(
    r"samplerselect|loader|scheduler|preset|sampler_config|settings|provider|^basicguider|^cfgguider|"
    r"^(to|from|edit|basicpipeto|detailerpipeto)\w*pipe"
)
WORDS = re.compile(r"(optional_|base_)?(positive|negative|guider|conditioning)|.*pipe|sdxl_tuple|.*ctx|context")
SEEDS = ("seed", "noise_seed", "value", "int", "number", "Number", "INT", "seed_num")
LATENTS = re.compile(r".*latent.*|samples?.*|image|images|pixels|.*pipe|sdxl_tuple|.*ctx|context|input|segs")
SAVERS = re.compile(r"save|imageoutput|image output|output|websocket|send ?image")
SIZES = re.compile(r"empty.*latent|latent.*size|sdxl empty|aspect|resolution|image ?size|loader")

SIDES = (("width", "height"), ("empty_latent_width", "empty_latent_height"), ("empty_latent_w", "empty_latent_h"))
PRESETS = ("resolution", "aspect_ratio", "dimensions", "preset", "ratio", "size")
CUSTOM = re.compile("custom|width|自定义", re.I)
"""Presets that leave the size to the numbers beside them."""


def is_sampler(node: Node) -> bool:
    """Whether a node draws: it has a seed or noise, and conditionings, a guider or a pipe."""
    inputs = node.inputs
    has_noise = any(name in inputs for name in ("seed", "noise_seed", "noise"))
    has_words = any(WORDS.match(name) for name, _ in node.links())
    is_named = bool(SAMPLER.search(node.lower)) and not NO_SAMPLER.search(node.lower)
    return has_words and (is_named or {"positive", "latent_image"} <= inputs.keys()) and (has_noise or is_named)


def is_detailer(node: Node) -> bool:
    """Whether a sampler only draws parts again, or larger."""
    return bool(re.search("detailer|upscale", node.lower))


def savers(graph: Graph) -> list[Node]:
    """The nodes that may have saved the picture; previews only where nothing else did."""
    used = {link.node for node in graph.values() for _, link in node.links()}
    ends = [node for node in graph.values() if _images(node) and (node.id not in used or SAVERS.search(node.lower))]
    real = [node for node in ends if _saves(node)]
    return real or [node for node in ends if "preview" in node.lower] or ends


def _saves(node: Node) -> bool:
    if "image_output" in node.inputs and is_sampler(node):
        return "save" in str(node.inputs["image_output"]).lower()
    return bool(SAVERS.search(node.lower)) and "preview" not in node.lower


def _images(node: Node) -> list[Link]:
    return [
        link for name, link in node.links() if re.fullmatch(r"images?(_.*)?|pixels|.*pipe|samples|input|anything", name)
    ]


class Flow:
    """Which sampler comes before which in a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.samplers = {node.id for node in graph.values() if is_sampler(node)}
        self._before: dict[str, tuple[list[Node], list[Node]]] = {}

    def before_saver(self, saver: Node) -> tuple[list[Node], list[Node]]:
        """The samplers that lead to a saver, nearest only, and the nodes in between; a sampler may save by itself."""
        if saver.id in self.samplers:
            return [saver], []
        return self._split(_images(saver))

    def before(self, sampler: Node) -> tuple[list[Node], list[Node]]:
        """The samplers that drew what a sampler began from, nearest only, and the nodes in between."""
        if sampler.id not in self._before:
            links = [link for name, link in sampler.links() if LATENTS.fullmatch(name)]
            self._before[sampler.id] = self._split(links)
        return self._before[sampler.id]

    def _split(self, links: list[Link]) -> tuple[list[Node], list[Node]]:
        found = upstream(self.graph, links, self.samplers)
        return [one for one in found if one.id in self.samplers], [one for one in found if one.id not in self.samplers]


def seed_of(graph: Graph, sampler: Node) -> int | None:
    """The seed of the noise that a sampler adds; None where it adds none, or the file does not hold it."""
    if str(sampler.inputs.get("add_noise", "enable")).lower() in ("disable", "false"):
        return None
    for name in ("seed", "noise_seed", "noise"):
        if name in sampler.inputs:
            return as_seed(follow(graph, sampler.inputs[name], SEEDS))
    settings = before_pipe(graph, sampler)
    return seed_of(graph, settings) if settings is not None else None


def before_pipe(graph: Graph, sampler: Node) -> Node | None:
    """The node whose settings a sampler gets through its pipe; None for a sampler that holds its settings itself."""
    link = next((link for name, link in sampler.links() if name == "pipe"), None)
    node = graph.get(link.node) if link and "seed" not in sampler.inputs else None
    return node if node is not None and "sampling" in node.lower else None


def follow(graph: Graph, value: Any, names: Iterable[str]) -> Any:
    """The value behind links, through nodes that hold one value under one of these names; None: not to be found."""
    for _ in range(50):
        if not isinstance(value, Link):
            return value
        node = graph.get(value.node)
        if node is None or re.search(r"random(?!noise)|math|expression|increment|counter", node.lower):
            return None
        values = [node.inputs[name] for name in names if name in node.inputs]
        links = [link for _, link in node.links()]
        if not values and "reroute" in node.lower and len(links) == 1:
            values = [links[0]]
        if not values:
            return None
        value = values[0]
    return None


def setting(graph: Graph, sampler: Node, *names: str) -> Any:
    """A setting of a sampler, or of the nodes that feed it (guider, sigmas, sampler)."""
    for one in filter(None, (sampler, before_pipe(graph, sampler))):
        for name in names:
            if (found := follow(graph, one.inputs.get(name), (name, "value", "int", "float"))) is not None:
                return found
    helpers = [link for name, link in sampler.links() if name in ("guider", "sigmas", "sampler", "sampler_config")]
    for node in upstream(graph, helpers):
        for name in names:
            if name in node.inputs and not isinstance(node.inputs[name], Link):
                return node.inputs[name]
    return None


def size_of(graph: Graph, nodes: Iterable[Node]) -> tuple[tuple[int, int] | None, int]:
    """The size of the empty latent among the nodes, and how many pictures it was for."""
    nodes = list(nodes)
    repeated = [
        as_whole(follow(graph, node.inputs.get("amount"), ("amount", "value", "int")))
        for node in nodes
        if re.search("repeat.*batch", node.lower)
    ]
    for node in nodes:
        if SIZES.search(node.lower):
            size = _size(graph, node)
            batch = as_whole(follow(graph, node.inputs.get("batch_size", 1), ("batch_size", "value", "int")))
            if size or "batch_size" in node.inputs:
                return size, max([batch or 1, *(2 if one is None else one for one in repeated)])
    return None, 1


def _size(graph: Graph, node: Node) -> tuple[int, int] | None:
    """The size that a node says: of a preset by its name, else in numbers; None where a preset does not tell it."""
    sources = [graph.get(link.node) for name, link in node.links() if name in ("width", "height")]
    for one in filter(None, (node, *sources)):
        preset = next((one.inputs[name] for name in PRESETS if isinstance(one.inputs.get(name), str)), "")
        is_swapped = str(one.inputs.get("swap_dimensions", "Off")).lower() in ("on", "true")
        if found := size_in(preset[-64:]):
            return found[::-1] if is_swapped else found
        if preset and not CUSTOM.search(preset):
            return None
    sides = [[follow(graph, node.inputs.get(one), (one, "value", "int")) for one in pair] for pair in SIDES]
    return next((found for pair in sides if (found := as_size(*pair))), None)
