"""ComfyUI workflows (API format: drop them on its page) that use an exported version by its rule.

Node classes and inputs as in ComfyUI's `nodes.py`, `comfy_extras/nodes_hooks.py`, `nodes_custom_sampler.py`.
"""

from typing import Any, NamedTuple

from ui.export.sampler import Sampler

Workflow = dict[str, dict[str, Any]]


class Example(NamedTuple):
    """The values in a workflow, for the person to change in ComfyUI.

    `has_text_encoders`: the LoRA is on the text encoders too.
    """

    lora: str
    checkpoint: str
    prompt: str
    guidance_scale: float
    num_inference_steps: int
    width: int
    height: int
    has_text_encoders: bool = False
    sampler: Sampler = Sampler("euler", "normal")


def build_negative_half(example: Example, strength: float, trigger: str = "") -> Workflow:
    """The LoRA only on the negative conditioning, by a hook."""
    null = {} if example.has_text_encoders and trigger else _null("null", trigger)
    nodes = _shared_nodes(example) | null | _hook("negative", "null", strength, example, trigger)
    return nodes | _sample(example, "model", "positive", "negative")


def build_with_trigger(example: Example, strength: float, trigger: str) -> Workflow:
    """The LoRA on every row, steered by its trigger word in the negative prompt: what A1111 and Forge do."""
    how = {"model": ["model", 0], "lora_name": example.lora, "strength_model": strength}
    nodes = _shared_nodes(example) | _null("negative", trigger)
    if example.has_text_encoders:
        nodes["model with lora"] = _node("LoraLoader", clip=["model", 1], strength_clip=strength, **how)
        for text in ("positive", "negative"):
            nodes[text]["inputs"]["clip"] = ["model with lora", 1]
    else:
        nodes["model with lora"] = _node("LoraLoaderModelOnly", **how)
    return nodes | _sample(example, "model with lora", "positive", "negative")


def build_same_prompt(example: Example, kappa: float, negative: str = "") -> Workflow:
    """A third conditioning with the same prompt and the LoRA, kept away from by `DualCFGGuider`.

    The guider computes  null + cfg2 (lora - null) + cfg1 (cond - lora);  with cfg2 = w and cfg1 = w + kappa that is
    null + w (cond - null) + kappa (cond - lora),  our rule.
    """
    w = example.guidance_scale
    guider = _node(
        "DualCFGGuider",
        model=["model", 0],
        cond1=["positive", 0],
        cond2=["same prompt", 0],
        negative=["null", 0],
        cfg_conds=round(w + kappa, 2),
        cfg_cond2_negative=round(w, 2),
        style="regular",
    )
    return (
        _shared_nodes(example)
        | _null("null", negative)
        | _hook("same prompt", "positive", 1.0, example, example.prompt)
        | {
            "guider": guider,
            "noise": _node("RandomNoise", noise_seed=1),
            "sampler": _node("KSamplerSelect", sampler_name=example.sampler.name),
            "steps": _node(
                "BasicScheduler",
                model=["model", 0],
                scheduler=example.sampler.scheduler,
                steps=example.num_inference_steps,
                denoise=1.0,
            ),
            "latents": _node(
                "SamplerCustomAdvanced",
                noise=["noise", 0],
                guider=["guider", 0],
                sampler=["sampler", 0],
                sigmas=["steps", 0],
                latent_image=["empty", 0],
            ),
        }
    )


def number_nodes(workflow: Workflow) -> Workflow:
    """The workflow with numbers as node names, which every version of ComfyUI reads, and the names as titles."""
    number = {name: str(place) for place, name in enumerate(workflow, start=1)}

    def wire(value: Any) -> Any:
        return [number[value[0]], value[1]] if isinstance(value, list) else value

    return {
        number[name]: {
            "class_type": node["class_type"],
            "inputs": {key: wire(value) for key, value in node["inputs"].items()},
            "_meta": {"title": name},
        }
        for name, node in workflow.items()
    }


def _shared_nodes(example: Example) -> Workflow:
    return {
        "model": _node("CheckpointLoaderSimple", ckpt_name=example.checkpoint),
        "positive": _node("CLIPTextEncode", clip=["model", 1], text=example.prompt),
        "empty": _node("EmptyLatentImage", width=example.width, height=example.height, batch_size=1),
        "pixels": _node("VAEDecode", samples=["latents", 0], vae=["model", 2]),
        "picture": _node("SaveImage", images=["pixels", 0], filename_prefix="naysayer"),
    }


def _null(name: str, text: str) -> Workflow:
    """The negative text; without one SDXL samples with zeros, not with the encoding of an empty text."""
    if text:
        return {name: _node("CLIPTextEncode", clip=["model", 1], text=text)}
    return {name: _node("ConditioningZeroOut", conditioning=["positive", 0])}


def _hook(name: str, conditioning: str, strength: float, example: Example, text: str) -> Workflow:
    """The conditioning with the LoRA hooked on. A LoRA on the text encoders encodes the text again."""
    how = {"lora_name": example.lora, "strength_model": strength}
    set_up = {"hook": _node("CreateHookLoraModelOnly", **how)}
    if example.has_text_encoders and text:
        conditioning = f"{name}, read with lora"
        hooks = {"hooks": ["hook", 0], "apply_to_conds": False, "schedule_clip": False}
        set_up = {
            "hook": _node("CreateHookLora", strength_clip=strength, **how),
            "clip with lora": _node("SetClipHooks", clip=["model", 1], **hooks),
            conditioning: _node("CLIPTextEncode", clip=["clip with lora", 0], text=text),
        }
    properties = {"strength": 1.0, "set_cond_area": "default", "opt_hooks": ["hook", 0]}
    return set_up | {name: _node("ConditioningSetProperties", cond_NEW=[conditioning, 0], **properties)}


def _sample(example: Example, model: str, positive: str, negative: str) -> Workflow:
    sampler = _node(
        "KSampler",
        model=[model, 0],
        positive=[positive, 0],
        negative=[negative, 0],
        latent_image=["empty", 0],
        seed=1,
        steps=example.num_inference_steps,
        cfg=round(example.guidance_scale, 2),
        sampler_name=example.sampler.name,
        scheduler=example.sampler.scheduler,
        denoise=1.0,
    )
    return {"latents": sampler}


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}
