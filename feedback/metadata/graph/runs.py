"""One saved picture of a graph: its prompt, seed and settings, and what had a part in it."""

import re
from collections.abc import Iterable

from feedback.metadata.found import Draft, Mark
from feedback.metadata.graph.models import base_of_nodes, likely_base, models_before
from feedback.metadata.graph.nodes import Graph, Link, Node, Unresolved, upstream
from feedback.metadata.graph.samplers import Flow, is_detailer, seed_of, setting, size_of
from feedback.metadata.graph.words import Said, Words
from feedback.metadata.values import as_number, as_steps, as_text, model_name, without_loras

TOOL = "ComfyUI"
MOST_SAMPLERS = 50
GRIDS = re.compile(r"image.*(grid|concat|stitch|collage)|(grid|collage|comparer).*image|imageconcanate|xy ?plot|plot")
UPSCALERS = re.compile(
    r"(image|latent).*(upscale|scale|resize)|upscale(?!modelloader).*(image|model$)|imageupscale|hi(gh)?[- ]?res|"
    r"supir|ccsr|seedvr|apisr|aurasr|esrgan|super.?res|4xupscale|topaz"
)
PLOT = re.compile(r"xy ?plot|xyz")
PASTES = re.compile(r"reactor|faceswap|face swap|facerestore|imagecomposite|overlay|blend|watermark|inpaint.*stitch")
LOADS = re.compile(r"loadimage|load image|imageload|clipboard|urltoimage|image.*from")
MASKS = re.compile(r"inpaint|setlatentnoisemask|differential")
PARTS = re.compile(r"latentcomposite|regional|attentioncouple|latentblend|noisy ?latent")
STEERERS = re.compile(
    r"ipadapter|ip-adapter|instantid|pulid|photomaker|controlnetapply|applycontrolnet|stylemodelapply|redux"
)


def draft_of(flow: Flow, saver: Node) -> Draft:
    """The draft of what one saver saved."""
    draft, graph = Draft(TOOL), flow.graph
    nearest, between = flow.before_saver(saver)
    samplers, origins = _chain(flow, nearest, between)
    if not 0 < len(samplers) <= MOST_SAMPLERS:
        draft.why = f"{len(samplers) or 'no'} samplers lead to the saved picture"
        return draft
    first = [one for one in samplers if not flow.before(one)[0]] or samplers
    draft.size, batch = size_of(graph, [node for one in first for node in flow.before(one)[1]])
    _settings(draft, graph, first, batch)
    _texts(draft, graph, samplers, first)
    _models(draft, graph, samplers, first)
    _mark_between(draft, between)
    scripts = upstream(graph, [link for one in samplers for name, link in one.links() if name in ("script", "xyPlot")])
    _mark_drawing(draft, [*origins, *samplers, *scripts])
    _mark_plot(draft, scripts)
    behind = upstream(graph, [link for _, link in saver.links()])
    for node in behind:
        if STEERERS.search(node.lower):
            draft.mark(Mark.controlled, f"another picture steered it ({node.kind[:40]})")
        if re.search("attention ?couple|regional", node.lower):
            draft.mark(Mark.regional, "parts of it have their own prompts")
        if "turboscheduler" in node.lower:
            draft.mark(Mark.distilled, f"the node {node.kind[:40]} is for distilled models")
    draft.base, draft.likely_base = base_of_nodes(behind), likely_base(behind)
    return draft


def _chain(flow: Flow, nearest: list[Node], between: list[Node]) -> tuple[list[Node], list[Node]]:
    """Every sampler that had a part, the last one first, and the nodes between and before them."""
    samplers: dict[str, Node] = {}
    origins: dict[str, Node] = {node.id: node for node in between}
    wave = nearest
    while wave:
        one, *wave = wave
        if one.id not in samplers:
            samplers[one.id] = one
            before, passed = flow.before(one)
            origins |= {node.id: node for node in passed}
            wave = wave + before
    return list(samplers.values()), list(origins.values())


def _settings(draft: Draft, graph: Graph, first: list[Node], batch: int) -> None:
    main = first[0]
    draft.steps = as_steps(setting(graph, main, "steps"))
    draft.guidance_scale = as_number(setting(graph, main, "cfg", "cfg_scale", "guidance"))
    sampler, scheduler = (as_text(setting(graph, main, name)) for name in ("sampler_name", "scheduler"))
    draft.sampler = " ".join(filter(None, (sampler, scheduler)))
    seeds = {seed_of(graph, one) for one in first}
    if batch > 1:
        draft.why = f"it is one of {batch} pictures of a batch, and the file does not say which"
    elif len(seeds) > 1:
        draft.why = "several samplers began it, with a seed each"
    else:
        draft.seed = next(iter(seeds))
        draft.why = "" if draft.seed is not None else "the seed is not in the graph"


def _texts(draft: Draft, graph: Graph, samplers: list[Node], first: list[Node]) -> None:
    """The prompt, where all samplers were given the same; those that only draw parts again do not count."""
    words = Words(graph, draft)
    main = [one for one in samplers if not is_detailer(one)] or samplers
    try:
        said = {one.id: _said(words, one, "positive") for one in main}
    except Unresolved as error:
        draft.why = error.why
        return
    texts = {" ".join(one.text.split()) for one in said.values()}
    if len(texts) > 1:
        draft.why = f"it was drawn with {len(texts)} different prompts, one after the other or side by side"
        return
    start = next((one for one in first if one.id in said), main[-1])
    draft.prompt, draft.loras = without_loras(said[start.id].text)
    draft.prompt_2 = said[start.id].other.strip()
    try:
        draft.negative_prompt = without_loras(_said(words, start, "negative").text)[0]
    except Unresolved as error:
        draft.prompt, draft.why = None, f"of the negative prompt: {error.why}"


def _said(words: Words, sampler: Node, half: str) -> Said:
    """A sampler's text; one that only takes a conditioning has no negative half."""
    for name in (half, f"optional_{half}", f"base_{half}"):
        if name in sampler.inputs:
            return words.said(sampler.inputs[name], half)
    for name, link in sampler.links():
        if name == "guider":
            guider = words.graph.get(link.node)
            if guider is None:
                raise Unresolved("a node on the way to the prompt is missing")
            if half in guider.inputs:
                return words.said(guider.inputs[half], half)
            return words.said(guider.inputs.get("conditioning"), half) if half == "positive" else Said("")
        if re.fullmatch(r".*pipe|sdxl_tuple|.*ctx|context|conditioning", name):
            return words.said(link, half)
    if half == "negative" and "positive" in sampler.inputs:
        return Said("")
    raise Unresolved(f"the sampler {sampler.kind[:60]!r} has no prompt")


def _models(draft: Draft, graph: Graph, samplers: list[Node], first: list[Node]) -> None:
    checkpoints, loras = models_before(graph, first[0])
    draft.model = checkpoints[0] if checkpoints else ""
    draft.loras += loras
    others = {name for one in samplers for name in models_before(graph, one)[0][:1]} - {draft.model}
    if refiner := next((name for one in upstream(graph, _tuples(samplers)) if (name := _refiner(one))), ""):
        draft.mark(Mark.refined, f"{refiner[:60]} finished it")
    if others and draft.model:
        draft.mark(Mark.refined, f"{min(others)[:60]} finished it")


def _tuples(samplers: Iterable[Node]) -> list[Link]:
    return [link for one in samplers for name, link in one.links() if name == "sdxl_tuple"]


def _refiner(node: Node) -> str:
    """The refiner that a loader gives together with its base."""
    name = model_name(node.inputs.get("refiner_ckpt_name"))
    return "" if name.lower() == "none" else name


def _mark_plot(draft: Draft, scripts: Iterable[Node]) -> None:
    """A plot's script draws many pictures, each with other settings, and saves them as one grid or separately."""
    for node in scripts:
        if PLOT.search(node.lower):
            if str(node.inputs.get("ksampler_output_image", "Plot")).lower() == "plot":
                draft.is_grid = draft.is_grid or f"the node {node.kind[:40]} made it of several pictures"
            draft.prompt, draft.seed, draft.steps, draft.guidance_scale = None, None, None, None
            draft.why = f"the node {node.kind[:40]} changed its settings, and the file does not say how"


def _mark_between(draft: Draft, between: Iterable[Node]) -> None:
    """Marks what was done to the drawn picture before it was saved."""
    for node in between:
        if GRIDS.search(node.lower):
            draft.is_grid = draft.is_grid or f"the node {node.kind[:40]} made it of several pictures"
        if PASTES.search(node.lower):
            draft.mark(Mark.inpainted, f"the node {node.kind[:40]} changed parts of it")


def _mark_drawing(draft: Draft, nodes: Iterable[Node]) -> None:
    """Marks what the picture began from, and what drew it again."""
    for node in nodes:
        kind = node.lower
        if MASKS.search(kind):
            draft.mark(Mark.inpainted, "a part of it was drawn again (inpainting)")
        elif LOADS.search(kind):
            draft.mark(Mark.img2img, "it began from another picture (img2img)")
        if UPSCALERS.search(kind) or "ultimatesdupscale" in kind:
            draft.mark(Mark.upscaled, "it was upscaled")
        if PARTS.search(kind):
            draft.mark(Mark.regional, "parts of it have their own prompts")
        if "detailer" in kind:
            draft.mark(Mark.inpainted, f"the node {node.kind[:40]} drew parts of it again")
