"""What makes a picture more than its prompt and seed, told by names and by its size."""

import re

from feedback.metadata.found import Draft, Mark

GRID_NAME = re.compile(r"(xyz?[_-]?(grid|plot)|grid|prompt_matrix)[-_. ]", re.I)
DISTILLED = re.compile(
    r"turbo|lightning|(?<![a-z])lcm(?![a-z])|hyper[-_ ]?sd|hyper[-_ ]?\d+[-_ ]?step|(?<![a-z])(dmd2?|tcd)(?![a-z])",
    re.I,
)
DISTILLED_LORA = re.compile(
    r"(sdxl|xl|sd)[-_ ]?(lightning|turbo)|lightning[-_ ]?\d+[-_ ]?step|(?<![a-z])(lcm|dmd2?|tcd)(?![a-z])|hyper[-_ ]?sd"
    r"|turbo[-_ ]?lora",
    re.I,
)
REFINER = re.compile("refiner", re.I)


def mark_distilled(draft: Draft) -> None:
    """Marks what a distilled model or LoRA drew, as far as names and samplers tell."""
    if DISTILLED.search(draft.model):
        draft.mark(Mark.distilled, f"the model {draft.model} is distilled")
    for lora in draft.loras:
        if DISTILLED_LORA.search(lora.name):
            draft.mark(Mark.distilled, f"the LoRA {lora.name} distils the model")
    if re.search(r"(?<![a-z])(lcm|tcd)(?![a-z])", draft.sampler, re.I):
        draft.mark(Mark.distilled, f"the sampler {draft.sampler} is one for distilled models")


def mark_size(draft: Draft, width: int, height: int) -> None:
    """Compares the pixels with the declared size; the pixels win.

    A whole multiple of the declared size, where nothing says that the picture was upscaled, is a grid: programs write
    the first picture's metadata into their grids. In ComfyUI the graph shows its grids, and nodes that upscale have
    any name.
    """
    if draft.size is None or draft.size == (width, height):
        return
    declared = f"{draft.size[0]}×{draft.size[1]} declared, {width}×{height} pixels in the file"
    across, down = width / draft.size[0], height / draft.size[1]
    is_multiple = across.is_integer() and down.is_integer() and across * down > 1
    if {Mark.upscaled, Mark.img2img, Mark.inpainted} & draft.marks.keys():
        draft.mark(Mark.upscaled, declared)
    elif is_multiple and not (draft.tool == "ComfyUI" and across == down):
        draft.is_grid = draft.is_grid or f"{declared}: a grid of {across * down:.0f} pictures, or upscaled unsaid"
    elif across > 1 and abs(across / down - 1) < 0.05:
        draft.mark(Mark.upscaled, declared)
    else:
        draft.mark(Mark.resized, declared)


def mark_name(draft: Draft, name: str) -> None:
    """Knows a grid by its file's name."""
    if GRID_NAME.match(name):
        draft.is_grid = draft.is_grid or "its name is that of a grid"
