"""TensorArt: `generation_data`; where it hides the seed (-1), the graph beside it has it."""

from feedback.metadata.bases import declared_base
from feedback.metadata.found import Draft, Lora
from feedback.metadata.texts import Texts
from feedback.metadata.tools import comfyui
from feedback.metadata.values import as_dict, as_number, as_seed, as_size, as_steps, as_text, model_name, without_loras


def read(texts: Texts) -> Draft | None:
    """The draft of TensorArt's data, with the seed of its graph."""
    found = texts.object("generation_data")
    if not found:
        return None
    model = as_dict(found.get("baseModel"))
    models = found.get("models")
    prompt, tags = without_loras(as_text(found.get("prompt")))
    sampler = as_text(found.get("ksamplerName") or found.get("samplerName"))
    draft = Draft(
        "TensorArt",
        prompt=prompt,
        negative_prompt=without_loras(as_text(found.get("negativePrompt")))[0],
        seed=as_seed(found.get("seed")),
        steps=as_steps(found.get("steps")),
        sampler=" ".join(filter(None, (sampler, as_text(found.get("schedule"))))),
        guidance_scale=as_number(found.get("cfgScale")),
        size=as_size(found.get("width"), found.get("height")),
        model=model_name(model.get("modelFileName")),
        model_hash=as_text(model.get("hash")),
        base=declared_base(model.get("baseModel")),
        loras=tags
        + [
            Lora(model_name(one.get("modelFileName")), as_number(one.get("weight")))
            for one in (models if isinstance(models, list) else [])
            if isinstance(one, dict) and one.get("type") == "LORA"
        ],
    )
    graph = comfyui.read(texts)
    if graph is not None:
        draft.marks |= graph.marks
        if draft.seed is None and graph.prompt is not None and graph.prompt.split() == prompt.split():
            draft.seed = graph.seed
    if draft.seed is None:
        draft.why = "its data name no seed"
    return draft
