"""What kind of file somebody gave for a LoRA, in words."""

import re
from collections.abc import Iterable

METHODS = (
    (r"\.dora_scale$|magnitude_vector", "a DoRA (a LoRA with magnitudes)"),
    (r"\.hada_", "a LoHa (LyCORIS)"),
    (r"\.lokr_", "a LoKr (LyCORIS)"),
    (r"\.boft_|\.oft_|\.oft_diag|oft_blocks", "an OFT (orthogonal fine-tuning)"),
    (r"lora_mid|\.cp_", "a LoCon with CP decomposition (lora_mid)"),
    (r"\.(?:a1|a2|b1|b2|bm1|bm2)\.weight$", "a GLoRA"),
    (r"on_input$|\.ia3_", "an IA3"),
    (r"vera_lambda", "a VeRA"),
    (r"\.(?:diff|diff_b|set_weight|w_norm|b_norm)$", "a file of whole differences of the weights"),
    (r"scale_weight$|scale_input$|scaled_fp8$", "in fp8 with its own scales"),
    (r"lora(?:_up|_down|_A|_B|\.up|\.down).*\.bias$", "a LoRA with biases"),
)
"""By what its keys have in common: kinds that are not read."""
MODELS = (
    (r"(?:^|[._])(?:double_blocks|single_blocks|single_transformer_blocks)[._]", "Flux"),
    (r"(?:^|[._])joint_blocks[._]", "Stable Diffusion 3"),
    (r"(?:^|lora_|lycoris_)transformer[._]", "a diffusion transformer (Flux, Stable Diffusion 3 or a later one)"),
    (r"(?:^|[._])(?:blocks|layers)[._]\d+[._](?:attn|attention|self_attn|cross_attn)[._]", "a diffusion transformer"),
    (r"(?:^|[._])prior[._]", "Stable Cascade"),
    (r"(?:^|[._])(?:vae|first_stage_model)[._]", "a VAE"),
    (r"(?:^|[._])(?:control|controlnet)[._]", "a ControlNet"),
)
"""By names of modules that no SDXL UNet has."""
WHOLE = (
    (
        r"^(?:model\.diffusion_model\.|conditioner\.|cond_stage_model\.)",
        "a whole checkpoint, which NAYSAYER_MODEL takes",
    ),
    (r"^(?:unet\.)?(?:down_blocks|up_blocks|mid_block)\.", "a whole UNet"),
    (r"^(?:first_stage_model\.|decoder\.|encoder\.)", "a VAE, which NAYSAYER_VAE takes"),
    (r"^(?:clip_l|clip_g|emb_params|string_to_param|bundle_emb)", "a textual-inversion embedding"),
)
"""By how the names of tensors begin in a file without any LoRA."""
NAMES = (
    (r"^lora_(?:unet|te)", "kohya's"),
    (r"\.lora_[AB]\.(?!weight$)|^base_model\.", "peft's"),
    (r"^(?:unet|text_encoder)", "diffusers'"),
    (r"^(?:model\.)?diffusion_model\.|^text_encoders\.|^clip_", "ComfyUI's"),
    (r"^lycoris_", "LyCORIS'"),
)
"""By how the keys are spelled: whose names they are."""


def method_of(name: str) -> str:
    """The kind of adapter that the key is of, when it is not a LoRA."""
    return _first(METHODS, [name])


def model_of(names: Iterable[str]) -> str:
    """The model that a LoRA with these keys was made for, when it is no SDXL UNet."""
    return _first(MODELS, names)


def whole_of(names: Iterable[str]) -> str:
    """What a file without any LoRA is."""
    return _first(WHOLE, names)


def spelling_of(names: Iterable[str]) -> str:
    """Whose names the keys are."""
    return _first(NAMES, names)


def _first(kinds: tuple[tuple[str, str], ...], names: Iterable[str]) -> str:
    names = list(names)
    return next((said for pattern, said in kinds if any(re.search(pattern, name) for name in names)), "")
