"""What a model's files say of themselves: family, prediction type, zero-terminal SNR, spacing of the timesteps.

Sources: the keys `v_pred`, `ztsnr`, `edm_vpred.*` as ComfyUI reads them (`comfy/supported_models.py`), the header keys
`modelspec.*` (Stability-AI/ModelSpec) and `ss_*` (kohya's scripts), the families as diffusers tells them.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.loaders.single_file_utils import infer_diffusers_model_type
from safetensors import safe_open

from store.errors import ModelError
from store.settings import Settings

V, EPSILON = "v_prediction", "epsilon"
SAID = {
    **dict.fromkeys(("v", "vpred", "v_pred", "v_prediction", "velocity", "v_parameterization"), V),
    **dict.fromkeys(("eps", "epsilon", "noise", "eps_prediction", "epsilon_prediction"), EPSILON),
}
"""Words for the two prediction types that can be drawn and trained."""
ZERO_SNR = ("ztsnr", "zsnr", "zero_terminal_snr", "rescale_betas_zero_snr")
SPACINGS = ("leading", "trailing", "linspace")
FAMILIES = {
    "v1": "Stable Diffusion 1.x",
    "v2": "Stable Diffusion 2.x",
    "inpainting": "Stable Diffusion 1.x for inpainting",
    "inpainting_v2": "Stable Diffusion 2.x for inpainting",
    "upscale": "Stable Diffusion's upscaler",
    "xl_inpaint": "SDXL for inpainting",
    "playground-v2-5": "Playground v2.5, which has its own noise schedule (EDM)",
    "sd3": "Stable Diffusion 3",
    "sd35_medium": "Stable Diffusion 3.5",
    "sd35_large": "Stable Diffusion 3.5",
    "flux-dev": "Flux",
    "flux-schnell": "Flux",
    "flux-fill": "Flux",
    "flux-depth": "Flux",
    "flux-2-dev": "Flux 2",
}
"""By diffusers' name of it, as far as a person would not know that name."""
CHANNELS = {9: "an inpainting model", 8: "an instruct (picture-editing) model"}
"""By the number of channels that the UNet takes."""
REFINER = "SDXL's refiner"
FIRST_BLOCK = "model.diffusion_model.input_blocks.0.0.weight"


class Header(NamedTuple):
    """A safetensors file without its numbers: the shape of each tensor, and the free text."""

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """The file's header. Raises SafetensorError when it is damaged."""
    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        return Header(shapes, dict(file.metadata() or {}))


def family_of(header: Header) -> str:
    """What a checkpoint in the original layout is, as a phrase; empty for SDXL."""
    shapes = header.shapes
    if any(".lora_" in name or ".hada_" in name or ".lokr_" in name or name.startswith("lora_") for name in shapes):
        return "a LoRA, which `naysayer import lora` takes"
    if any(name.startswith("edm_vpred.") for name in shapes):
        return "CosXL, which has its own noise schedule (EDM)"
    kind = _kind(shapes)
    if kind == "xl_refiner":
        return f"{REFINER}, which belongs into NAYSAYER_REFINER"
    channels = (shapes.get(FIRST_BLOCK) or (0, 4))[1]
    if kind == "xl_base" and channels != 4:
        return f"{CHANNELS.get(channels, 'another model')} of SDXL: its UNet takes {channels} channels, not 4"
    if kind == "v1":
        return _part_or_v1(header)
    return "" if kind == "xl_base" else FAMILIES.get(kind, kind)


def _kind(shapes: dict[str, tuple[int, ...]]) -> str:
    """diffusers' name of the family; it names what it does not know `v1`."""
    with torch.device("meta"):
        tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
    try:
        return infer_diffusers_model_type(tensors)
    except (LookupError, RuntimeError, ValueError, UnboundLocalError, NotImplementedError):
        return "v1"


def _part_or_v1(header: Header) -> str:
    names, said = header.shapes, header.metadata.get("modelspec.architecture", "")
    if any(name.startswith("cond_stage_model.") for name in names):
        return FAMILIES["v1"]
    if any(name.startswith(("model.diffusion_model.", "down_blocks.", "input_blocks.")) for name in names):
        return "only a UNet, without text encoders and VAE"
    if any(name.startswith(("first_stage_model.", "decoder.", "encoder.")) for name in names):
        return "only a VAE, which belongs into NAYSAYER_VAE"
    return said[:80] or "no checkpoint that is known"


def family_of_folder(folder: Path) -> str:
    """What a diffusers folder is, by its `model_index.json`, as a phrase; empty for SDXL or when it does not say."""
    index = _json(folder / "model_index.json")
    kind = str(index.get("_class_name") or "")
    if kind and "StableDiffusionXL" not in kind:
        return kind.removesuffix("Pipeline")
    unet = _json(folder / "unet" / "config.json")
    if kind and index.get("text_encoder", [""])[0] is None and index.get("text_encoder_2", [None])[0] is not None:
        return f"{REFINER}, which belongs into NAYSAYER_REFINER"
    channels = unet.get("in_channels", 4)
    if channels in CHANNELS:
        return f"{CHANNELS[channels]} of SDXL: its UNet takes {channels} channels, not 4"
    return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Prediction(NamedTuple):
    """What the UNet predicts, under which schedule; `source` says who says so."""

    type: str = ""
    is_zero_snr: bool | None = None
    spacing: str = ""
    source: str = ""


def declared_prediction(header: Header) -> Prediction:
    """What a file's keys and header say; keys win over the header. Empty fields: it says nothing.

    Raises ModelError for a type that cannot be drawn, and for zero-terminal SNR without v-prediction.
    """
    keys = {name.rsplit(".", 1)[-1].lower() for name in header.shapes}
    said = {name.rsplit(".", 1)[-1].removeprefix("ss_").lower(): value for name, value in header.metadata.items()}
    is_zero_snr = not keys.isdisjoint(ZERO_SNR) or any(_is_true(said.get(name, "")) for name in ZERO_SNR) or None
    kind, source = V, "the file's key v_pred"
    if keys.isdisjoint(("v_pred", "vpred")):
        kind, source = _said_type(said), "the file's header"
    if is_zero_snr and kind != V:
        raise ModelError(
            "the model file says that it has zero-terminal SNR, which needs v-prediction, but not that it predicts v; "
            "set NAYSAYER_PREDICTION_TYPE to v_prediction_zsnr, or to epsilon if the file is wrong"
        )
    spacing = said.get("timestep_spacing", "").strip().lower()
    return Prediction(kind, is_zero_snr, spacing if spacing in SPACINGS else "", source if kind else "")


def _said_type(said: dict[str, str]) -> str:
    if _is_true(said.get("v_parameterization", "")) or _is_true(said.get("v_pred", "")):
        return V
    word = said.get("prediction_type", "").strip().lower().replace("-", "_").replace(" ", "_")
    if word and word not in SAID:
        raise ModelError(
            f"the model file says that it predicts {word[:40]!r}; only epsilon and v-prediction can be drawn and "
            "trained; set NAYSAYER_PREDICTION_TYPE if the file is wrong"
        )
    return SAID.get(word, "")


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on")


def choose_prediction(settings: Settings, header: Header | None) -> Prediction:
    """The settings' word, else what the file says of itself."""
    if wanted := settings.prediction_type:
        is_zero_snr = wanted.endswith("_zsnr")
        return Prediction(wanted.removesuffix("_zsnr"), is_zero_snr, "", "NAYSAYER_PREDICTION_TYPE")
    return declared_prediction(header) if header else Prediction()


def prediction_words(config: Any) -> str:
    """A scheduler's configuration for people.

    >>> prediction_words({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True})
    'v-prediction with zero-terminal SNR'
    >>> prediction_words({"prediction_type": "epsilon", "timestep_spacing": "leading"})
    'epsilon prediction, leading timesteps'
    """
    predicted = config.get("prediction_type", EPSILON)
    kind = "v-prediction" if predicted == V else f"{predicted} prediction"
    snr = " with zero-terminal SNR" if config.get("rescale_betas_zero_snr") else ""
    spacing = f", {config['timestep_spacing']} timesteps" if config.get("timestep_spacing") else ""
    return kind + snr + spacing
