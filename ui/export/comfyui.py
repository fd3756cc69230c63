"""ComfyUI workflows (API format, which its page opens by drag and drop) that use an exported version by its rule.

Node classes and inputs as in ComfyUI's `nodes.py`, `comfy_extras/nodes_hooks.py`, `nodes_custom_sampler.py`.
"""

from typing import Any, NamedTuple

Workflow = dict[str, dict[str, Any]]


class Shown(NamedTuple):
    """What a workflow is filled in with; the person changes it in ComfyUI.

    `reads_anew`: the LoRA is on the text encoders too.
    """

    lora: str
    checkpoint: str
    prompt: str
    guidance_scale: float
    num_inference_steps: int
    width: int
    height: int
    reads_anew: bool = False


def negative_half(shown: Shown, strength: float, trigger: str = "") -> Workflow:
    """The LoRA on the negative conditioning alone, by a hook."""
    null = {} if shown.reads_anew and trigger else _null("null", trigger)
    nodes = _common(shown) | null | _hooked("negative", "null", strength, shown, trigger)
    return nodes | _sampled(shown, "model", "positive", "negative")


def with_trigger(shown: Shown, strength: float, trigger: str) -> Workflow:
    """The LoRA on every row, steered by its trigger word in the negative prompt: what A1111 and Forge do."""
    how = {"model": ["model", 0], "lora_name": shown.lora, "strength_model": strength}
    nodes = _common(shown) | _null("negative", trigger)
    if shown.reads_anew:
        nodes["model with lora"] = _node("LoraLoader", clip=["model", 1], strength_clip=strength, **how)
        for text in ("positive", "negative"):
            nodes[text]["inputs"]["clip"] = ["model with lora", 1]
    else:
        nodes["model with lora"] = _node("LoraLoaderModelOnly", **how)
    return nodes | _sampled(shown, "model with lora", "positive", "negative")


def same_prompt(shown: Shown, kappa: float) -> Workflow:
    """A third conditioning with the same prompt and the LoRA, kept away from by `DualCFGGuider`.

    The guider computes  null + cfg2 (lora - null) + cfg1 (cond - lora);  with cfg2 = w and cfg1 = w + kappa that is
    null + w (cond - null) + kappa (cond - lora),  our rule.
    """
    w = shown.guidance_scale
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
        _common(shown)
        | _null("null", "")
        | _hooked("same prompt", "positive", 1.0, shown, shown.prompt)
        | {
            "guider": guider,
            "noise": _node("RandomNoise", noise_seed=1),
            "sampler": _node("KSamplerSelect", sampler_name="euler"),
            "steps": _node(
                "BasicScheduler", model=["model", 0], scheduler="normal", steps=shown.num_inference_steps, denoise=1.0
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


def numbered(workflow: Workflow) -> Workflow:
    """The same with numbers for node names, which every version of the page reads, and the names as titles."""
    number = {name: str(place) for place, name in enumerate(workflow, start=1)}

    def wired(value: Any) -> Any:
        return [number[value[0]], value[1]] if isinstance(value, list) else value

    return {
        number[name]: {
            "class_type": node["class_type"],
            "inputs": {key: wired(value) for key, value in node["inputs"].items()},
            "_meta": {"title": name},
        }
        for name, node in workflow.items()
    }


def _common(shown: Shown) -> Workflow:
    return {
        "model": _node("CheckpointLoaderSimple", ckpt_name=shown.checkpoint),
        "positive": _node("CLIPTextEncode", clip=["model", 1], text=shown.prompt),
        "empty": _node("EmptyLatentImage", width=shown.width, height=shown.height, batch_size=1),
        "pixels": _node("VAEDecode", samples=["latents", 0], vae=["model", 2]),
        "picture": _node("SaveImage", images=["pixels", 0], filename_prefix="naysayer"),
    }


def _null(name: str, text: str) -> Workflow:
    """The negative text; SDXL without one samples with zeros, not with the encoding of an empty text."""
    if text:
        return {name: _node("CLIPTextEncode", clip=["model", 1], text=text)}
    return {name: _node("ConditioningZeroOut", conditioning=["positive", 0])}


def _hooked(name: str, conditioning: str, strength: float, shown: Shown, text: str) -> Workflow:
    """The conditioning with the LoRA hooked on; where that is on the text encoders too, they read its text anew."""
    how = {"lora_name": shown.lora, "strength_model": strength}
    set_up = {"hook": _node("CreateHookLoraModelOnly", **how)}
    if shown.reads_anew and text:
        conditioning = f"{name}, read with lora"
        hooks = {"hooks": ["hook", 0], "apply_to_conds": False, "schedule_clip": False}
        set_up = {
            "hook": _node("CreateHookLora", strength_clip=strength, **how),
            "clip with lora": _node("SetClipHooks", clip=["model", 1], **hooks),
            conditioning: _node("CLIPTextEncode", clip=["clip with lora", 0], text=text),
        }
    properties = {"strength": 1.0, "set_cond_area": "default", "opt_hooks": ["hook", 0]}
    return set_up | {name: _node("ConditioningSetProperties", cond_NEW=[conditioning, 0], **properties)}


def _sampled(shown: Shown, model: str, positive: str, negative: str) -> Workflow:
    sampler = _node(
        "KSampler",
        model=[model, 0],
        positive=[positive, 0],
        negative=[negative, 0],
        latent_image=["empty", 0],
        seed=1,
        steps=shown.num_inference_steps,
        cfg=round(shown.guidance_scale, 2),
        sampler_name="euler",
        scheduler="normal",
        denoise=1.0,
    )
    return {"latents": sampler}


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}
