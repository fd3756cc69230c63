"""Draw Things: JSON in XMP, with short names."""

from feedback.metadata.found import Draft, Lora, Mark
from feedback.metadata.texts import Texts
from feedback.metadata.values import as_number, as_seed, as_steps, as_text, model_name, size_in


def read(texts: Texts) -> Draft | None:
    """The draft of Draw Things' comment."""
    for bag in texts.bags[1:]:
        if isinstance(bag.get("c"), str) and {"uc", "model", "seed", "sampler"} & bag.keys():
            break
    else:
        return None
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
    if as_text(bag.get("upscaler")):
        draft.mark(Mark.upscaled, "it was upscaled")
    return draft
