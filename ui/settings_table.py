"""The settings in words: the dozen that people change first, the rest in groups."""

from pathlib import Path

from pydantic.fields import FieldInfo

from store.settings import PREFIX, Settings
from store.settings.file import Origin, as_field, origins
from store.settings.from_pages import AT_ONCE, CHANGEABLE

GROUPS = {
    "Start here": (
        "data_dir model vae queue_target overlap retrain_after auto_retrain promotion port host sign_in webhook_url"
    ),
    "Model": "model_variant model_revision model_config_source prediction_type refiner refiner_start dtype device",
    "Drawing": (
        "scheduler guidance_scale guidance_sigma_min guidance_sigma_max num_inference_steps width_px height_px "
        "negative_prompt prompt_weighting rule strength guidance_gain sweep_pictures sample_batch compile vae_decode "
        "offload_encoders base_slice ask_share tries checked_share"
    ),
    "Rating": "lease_s control_share repeat_share look_again_share rater_share",
    "Gate": "evaluation_pairs evaluation_share prompt_scorer",
    "Training": (
        "objective beta anchor trigger lora_rank lora_layers train_steps train_batch learning_rate "
        "min_timestep null_dropout mismatched other_bases cross_fit seed"
    ),
    "Memory and checkpoints": "micro_batch gradient_checkpointing base_quantization checkpoint_every deterministic "
    "turns turns_dir",
    "Beyond this machine": (
        "store_url blobs cache_gib public_url base_path trusted_proxies allowed_hosts admins secret oidc_client_id "
        "oidc_client_secret oidc_metadata_url webhook_secret metrics_open sort_dir"
    ),
}


def settings_markdown() -> str:
    """Every setting with its default and meaning, one Markdown table for each group."""
    return "\n\n".join(f"## {title}\n\n{_table(names.split())}" for title, names in GROUPS.items())


def settings_list(origins: list[Origin]) -> str:
    """Every setting with its value and where the value comes from, for the terminal."""
    found = {origin.field: origin for origin in origins}
    lines = []
    for title, names in GROUPS.items():
        lines.append(f"\n{title}")
        for name in names.split():
            place = "" if found[name].place == "default" else f"   [{found[name].place}]"
            lines.append(f"  {name:<24} {found[name].words}{place}".rstrip())
    return "\n".join(lines).lstrip("\n")


def kept_words(name: str, path: Path, settings: Settings) -> str:
    """What holds after a change of the data folder's file."""
    field = as_field(name)
    found = next((origin for origin in origins(settings) if origin.field == field), None)
    if found is None:
        return f"{name}, which is no setting, is not in {path} any more"
    now = f"{field} is {found.words}" if found.words else f"{field} is empty"
    if found.place in ("environment", ".env"):
        return f"{path} is written, but {PREFIX}{field.upper()} in {_the(found.place)} wins here: {now}"
    place = "the default" if found.place == "default" else path
    is_live = field in CHANGEABLE and CHANGEABLE[field].holds == AT_ONCE
    return f"{now}, from {place}; a running `naysayer run` takes it {'at once' if is_live else 'when it starts again'}"


def _the(place: str) -> str:
    return "the environment" if place == "environment" else place


def _table(names: list[str]) -> str:
    rows = [_row(name, Settings.model_fields[name]) for name in names]
    return "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows])


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.default in ("", None) else f"`{field.default}`"
    return f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |"
