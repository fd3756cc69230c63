"""Draw Things: JSON in XMP, with short names."""

from feedback.metadata.found import Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.tools.infotext import parse
from feedback.metadata.values import as_dict, as_number, as_seed, as_steps, as_text, model_name, size_in


def read(texts: Texts) -> Draft | None:
    """The draft of Draw Things' comment, else of the description that it writes beside it."""
    for bag in texts.bags[1:]:
        if isinstance(bag.get("c"), str) and {"uc", "model", "seed", "sampler"} & bag.keys():
            break
    else:
        return _described(texts) if "Draw Things" in as_text(texts.own.get("xmp:CreatorTool")) else None
    loras = bag.get("lora")
    seed = as_seed(bag.get("seed"))
    draft = Draft(
        "Draw Things",
        prompt=as_text(bag["c"]),
        negative_prompt=as_text(bag.get("uc")),
        seed=seed,
        steps=as_steps(bag.get("steps")),
        sampler=as_text(bag.get("sampler")),
        guidance_scale=as_number(bag.get("scale")),
        size=size_in(bag.get("size")),
        model=model_name(bag.get("model")),
        loras=[
            Lora(model_name(one.get("model")), as_number(one.get("weight")))
            for one in (loras if isinstance(loras, list) else [])
            if isinstance(one, dict)
        ],
        why="" if seed is not None else "its settings name no seed",
    )
    strength = as_number(bag.get("strength"))
    if strength is not None and strength < 1:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    if bag.get("control"):
        draft.mark(Mark.controlled, "another picture steered it (ControlNet)")
    own = as_dict(bag.get("v2"))
    if as_text(bag.get("upscaler")) or own.get("hiresFix") is True:
        draft.mark(Mark.upscaled, "it was upscaled")
    if as_text(own.get("refinerModel")):
        draft.mark(Mark.refined, "a refiner finished it")
    if own.get("separateClipL") is True or own.get("separateOpenClipG") is True:
        draft.mark(Mark.two_prompts, "its two text encoders were given different prompts")
    return draft


def _described(texts: Texts) -> Draft | None:
    """The draft of the description: the prompt, a line with a minus and the negative prompt, and the settings."""
    one = parse(as_text(texts.own.get("xmp:description")))
    if "seed" not in one.settings:
        return None
    prompt, _, negative = f"\n{one.prompt}".rpartition("\n-") if "\n-" in f"\n{one.prompt}" else (one.prompt, "", "")
    seed = as_seed(one.get("seed"))
    draft = Draft(
        "Draw Things",
        prompt=prompt.strip(),
        negative_prompt=negative.strip(),
        seed=seed,
        steps=as_steps(one.get("steps")),
        sampler=one.get("sampler"),
        guidance_scale=as_number(one.get("guidance scale")),
        size=size_in(one.get("size")),
        model=model_name(one.get("model")),
        why="" if seed is not None else "its settings name no seed",
    )
    strength = as_number(one.get("strength"))
    if strength is not None and strength < 1:
        draft.mark(Mark.img2img, "it began from another picture (img2img)")
    return draft
