"""The checkpoint and LoRAs that lead to a sampler, and what a graph's nodes say of its base."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from feedback.metadata.bases import declared_base
from feedback.metadata.found import SDXL, Lora
from feedback.metadata.graph.nodes import Graph, Node
from feedback.metadata.graph.samplers import follow
from feedback.metadata.values import as_number, model_name, without_loras

FILES = ("ckpt_name", "base_ckpt_name", "unet_name", "model_name", "checkpoint", "ckpt", "base_model")
PATHS = re.compile(r"model.*|base_model|guider|.*pipe|sdxl_tuple|.*lora.*|.*ctx|context|lora_stack|basic_pipe|reroute|")
NUMBERED = re.compile(r"lora(?:_name)?_(\d+)(_name)?", re.I)
OTHER_NODES = (
    (r"triplecliploader|modelsamplingsd3|cliptextencodesd3", "sd3"),
    (r"flux(?!resolution|size|latent|prompt)", "flux"),
    (
        r"hunyuan|lumina|auraflow|(encode|sampling)qwen|qwenimage|wan(image|video|vace)|chroma(?!tic|key)|cosmos|pixart|"
        r"stablecascade|hidream|kolors|ltxv",
        "other",
    ),
)
OTHER_LATENTS = re.compile("emptysd3latent|emptyflux2latent")
"""Latents of 16 channels and more, which many models share; SDXL takes them as well, so that a model's name counts."""


def models_before(graph: Graph, sampler: Node) -> tuple[list[str], list[Lora]]:
    """Checkpoints, nearest first, and LoRAs on the way to a sampler."""
    checkpoints: list[str] = []
    loras: list[Lora] = []
    seen: set[str] = set()
    wave = [link.node for name, link in sampler.links() if PATHS.fullmatch(name)]
    while wave:
        key, *wave = wave
        node = graph.get(key)
        if node is None or key in seen:
            continue
        seen.add(key)
        loras += loras_of(node)
        files = [name for value in FILES if (name := model_name(follow(graph, node.inputs.get(value), FILES)))]
        checkpoints += files[:1]
        if not files or "lora" in node.lower:
            wave += [link.node for name, link in node.links() if PATHS.fullmatch(name) or "reroute" in node.lower]
        else:
            wave += [link.node for name, link in node.links() if "lora" in name]
    return list(dict.fromkeys(checkpoints)), list(dict.fromkeys(loras))


def loras_of(node: Node) -> list[Lora]:
    """The LoRAs that a node adds: one, a stack of numbered ones, or objects that can be switched off."""
    inputs, found = node.inputs, []
    if isinstance(inputs.get("lora_name"), str | dict):
        found.append(
            Lora(
                model_name(inputs["lora_name"]), _strength(inputs, "strength_model", "lora_model_strength", "strength")
            )
        )
    elif "lora" in node.lower:
        found += _listed(inputs)
    many = re.sub(r"\D", "", str(inputs.get("lora_count", inputs.get("num_loras", ""))))
    is_off = inputs.get("toggle") is False
    kinds: tuple[str, ...] = ("lora_wt", "model_str", "model_weight", "lora_weight", "strength")
    if str(inputs.get("input_mode", inputs.get("mode"))).lower() == "advanced":
        kinds = ("model_str", *kinds)
    for name, value in inputs.items():
        number = NUMBERED.fullmatch(name)
        if number is None or is_off or (many and int(number[1]) > int(many)):
            continue
        if isinstance(value, dict):
            if value.get("on", True) is not False and isinstance(value.get("lora"), str):
                found.append(Lora(model_name(value["lora"]), as_number(value.get("strength"))))
        elif isinstance(value, str) and str(inputs.get(f"switch_{number[1]}", "On")).lower() in ("on", "true"):
            names = [f"{kind}_{number[1]}" for kind in kinds]
            own = [f"lora_{number[1]}_{kind}" for kind in ("model_strength", "strength")]
            names += own if "model_str" in kinds[:1] else own[::-1]
            found.append(Lora(model_name(value), _strength(inputs, *names)))
    return [lora for lora in found if lora.name and lora.name.lower() != "none"]


def _listed(inputs: Mapping[str, Any]) -> list[Lora]:
    """LoRAs as a list of objects, else as tags in a text."""
    listed = inputs.get("loras")
    if isinstance(listed, dict):
        listed = listed.get("__value__")
    if isinstance(listed, list):
        active = [one for one in listed if isinstance(one, dict) and one.get("active") is not False]
        return [Lora(model_name(one.get("name")), as_number(one.get("strength"))) for one in active]
    texts = [inputs.get(name) for name in ("text", "loras", "lora_text", "lora_syntax")]
    return [lora for text in texts if isinstance(text, str) for lora in without_loras(text)[1]]


def _strength(inputs: object, *names: str) -> float | None:
    return next((number for name in names if (number := as_number(inputs.get(name))) is not None), None)  # type: ignore[attr-defined]


def base_of_nodes(nodes: Iterable[Node]) -> str:
    """The base that only fits these nodes; empty where they fit several."""
    has_sdxl = False
    for node in nodes:
        kind = node.lower.replace(" ", "").replace("_", "")
        if found := next((base for pattern, base in OTHER_NODES if re.search(pattern, kind)), ""):
            return found
        if (
            "cliploader" in kind
            and isinstance(node.inputs.get("type"), str)
            and "stable_diffusion" not in node.inputs["type"]
        ):
            return declared_base(node.inputs["type"])
        has_sdxl = has_sdxl or bool(re.match(r"cliptextencodesdxl|eff\.loadersdxl|ttnpipeloadersdxl", kind))
    return SDXL if has_sdxl else ""


def likely_base(nodes: Iterable[Node]) -> str:
    """The base where no model's name says another; empty where the nodes fit all."""
    return "other" if any(OTHER_LATENTS.search(node.lower) for node in nodes) else ""
