"""Every setting, read once at the edge (command line, pages) and handed down.

The environment (`NAYSAYER_…`) wins over `.env` in the current folder, `.env` over `naysayer.toml` in the data folder,
and that file over the default. The file holds for every process on one store, cron's included.
"""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from store.secrets import find_fault
from store.settings import checks
from store.settings.sampling import SamplingSettings
from store.settings.serving import ServingSettings
from store.settings.shared import SharedSettings
from store.settings.sources import DataFolder, Dotenv

BUILTIN = "builtin"
PREFIX = "NAYSAYER_"
PATHS = ("data_dir", "model", "model_config_source", "vae", "refiner", "turns_dir", "sort_dir")
A_YEAR_S = 365 * 86_400


class Settings(ServingSettings, SamplingSettings, SharedSettings, BaseSettings):
    """What can be set, also for the pages (`ServingSettings`) and the sampler. An empty value means the default."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        dotenv_filtering="only_existing",
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in, then the environment, `.env`, and the data folder's file."""
        dotenv = Dotenv(settings_cls, env_file=getattr(dotenv_settings, "env_file", None))
        return init_settings, env_settings, dotenv, DataFolder(settings_cls)

    data_dir: Path = Field(Path("data"), description="folder of the store: database, pictures, versions, settings")
    store_url: str = Field("", repr=False, description="database URL; empty: SQLite in the data folder")

    model: str = Field(BUILTIN, description="`builtin`, a hub id, a local folder or a single `.safetensors` file")
    model_variant: str = Field("", description="variant of the weights in the hub or folder, e.g. `fp16`")
    model_revision: str = Field(
        "", description="branch, tag or commit of a hub id; empty: the newest, then the commit the store began with"
    )
    model_config_source: str = Field(
        "", description="folder or hub id with the configuration of a single file; empty: SDXL base 1.0 of the hub"
    )
    vae: str = Field("", description="another VAE (hub id, folder or file), e.g. an fp16-fix VAE")
    prediction_type: Literal["epsilon", "v_prediction", "v_prediction_zsnr"] | None = Field(
        None,
        description="what the model predicts, if it says the wrong thing or nothing of itself: epsilon, v_prediction "
        "or v_prediction_zsnr (with zero-terminal SNR); empty: what its file or configuration says",
    )
    refiner: str = Field("", description="SDXL refiner (hub id, folder or file) for the last steps; empty: none")
    refiner_start: float = Field(
        0.8, gt=0, lt=1, description="part of the noise schedule after which the refiner takes over"
    )
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="auto: bf16 on CUDA, else fp32")
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$", description="auto, cpu, mps, cuda or cuda:N"
    )
    turns: Literal["auto", "always", "never"] = Field(
        "auto",
        description="when processes take turns on a device: auto, where its memory does not hold both models; always; "
        "never",
    )
    turns_dir: Path | None = Field(
        None,
        description="folder of this machine where processes agree whose turn it is; empty: `/tmp/naysayer-` with the "
        "user's number",
    )

    negative_prompt: str = Field("", description="negative prompt; empty: none")
    prompt_weighting: Literal["a1111", "off"] = Field(
        "a1111",
        description="how prompts are read: a1111: with (x:1.2), [x] and BREAK, and at any length; off: as plain text, "
        "cut after 75 tokens",
    )
    sweep_pictures: int = Field(
        16,
        ge=4,
        le=1000,
        description="held-out pictures drawn at each strength that a retrain tries; for the check, three times as many",
    )
    sample_batch: int = Field(
        8,
        ge=1,
        le=1024,
        description="pictures drawn at once; left empty, the most up to 8 that fit; halved when memory runs out",
    )
    tries: int = Field(
        1, ge=0, le=99, description="how often a picture that the check takes for a reject is drawn again"
    )
    checked_share: float = Field(
        0.0, ge=0, le=1, description="share of the pictures to rate that may be drawn again; the others teach more"
    )
    vae_decode: Literal["whole", "sliced", "tiled"] = Field(
        "whole",
        description="sliced: one picture at a time; tiled: in overlapping tiles; both need less memory; left empty, "
        "the first that fits",
    )
    offload_encoders: bool = Field(
        False,
        description="keep the text encoders off the device except while they read prompts; left empty, only where "
        "nothing less fits",
    )
    queue_target: int = Field(24, ge=1, le=100_000, description="unrated pictures the worker keeps ready")
    base_slice: float = Field(0.5, ge=0, le=1, description="share of the pictures drawn by the plain base")
    ask_share: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="share of the pictures to rate that are chosen for what their votes teach; no rate counts them",
    )
    evaluation_pairs: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="pairs in the default evaluation set; empty: 200, or 12 when promotion is auto",
    )
    evaluation_share: float = Field(
        0.5, ge=0, le=1, description="share of the waiting pictures that compare a challenger with the champion"
    )
    promotion: Literal["manual", "gate", "auto"] | None = Field(
        None,
        description="who promotes a challenger: a person (manual), the votes on pairs (gate), its retrain (auto); "
        "empty: auto for the built-in model while it retrains by itself, else gate",
    )
    prompt_scorer: str = Field(
        "",
        pattern=r"^([^\W\d][\w.]*:[^\W\d]\w*)?$",
        description="`module:function` that says from 0 to 1 how well a picture follows its prompt",
    )

    overlap: int = Field(1, ge=1, le=1000, description="raters who judge each picture")
    lease_s: float = Field(
        600, ge=1, le=A_YEAR_S, description="seconds for which a picture stays reserved for the rater who was shown it"
    )
    control_share: float = Field(0.05, ge=0, le=0.5, description="chance that a control is shown before a picture")
    repeat_share: float = Field(0.02, ge=0, le=0.5, description="chance that a repeat is shown before a picture")
    look_again_share: float = Field(
        0.1, ge=0, le=0.5, description="chance that a picture whose vote looks like a slip is shown before a picture"
    )
    rater_share: float = Field(
        0.75, gt=0, le=1, description="with several raters, the largest share of a version's rejects in the pool by one"
    )
    other_bases: float = Field(0, ge=0, lt=1, description="training weight of imported pictures by other bases; 0: out")

    retrain_after: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="new rejects that make a retrain due; empty: 40 for the built-in model, else 100",
    )
    auto_retrain: bool | None = Field(
        None, description="the worker retrains when due; empty: only with the built-in model"
    )
    objective: Literal["nft", "sft", "anchored", "wrong", "trigger"] = Field(
        "nft", description="nft, sft, anchored, wrong or trigger; without keeps, nft and anchored become sft"
    )
    beta: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="nft: how far the prediction moves from the base, towards rejects and away from keeps",
    )
    anchor: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="how strongly all else stays with the base; empty: 1 for anchored, 4 for trigger",
    )
    trigger: str = Field(
        "wrong", min_length=1, description="trigger word of the objectives wrong and trigger, and of the rule woolf"
    )
    lora_rank: int = Field(16, ge=1, le=128, description="rank of the LoRA; alpha equals it, so the scale is 1")
    lora_layers: Literal["attention", "all", "text"] | None = Field(
        None,
        description="where the LoRA is: attention; all: feed-forward and convolutions too; text: only the keys and "
        "values of the text; empty: all, or text with the objective trigger",
    )
    train_steps: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="optimiser steps of a retrain; 0: three for each rated picture, at most 1,800",
    )
    train_batch: int = Field(8, ge=2, le=4096, description="pictures in each step, half rejects and half keeps")
    micro_batch: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="pictures in each forward pass; the step sums their gradients; empty: as many as fit, halved when "
        "memory runs out",
    )
    learning_rate: float = Field(
        5e-4, gt=0, le=1, description="AdamW's learning rate at the peak of the cosine schedule"
    )
    min_timestep: int = Field(
        400,
        ge=0,
        le=999,
        description="only timesteps from this one to 999 are trained; mistakes are decided at high noise",
    )
    null_dropout: float = Field(0.1, ge=0, le=1, description="share of the training pictures shown without a prompt")
    mismatched: float = Field(
        0.3,
        ge=0,
        le=1,
        description="nft: share of the rejects in a batch that are kept pictures under a similar prompt of the pool "
        "that asks for something else",
    )
    cross_fit: bool = Field(
        True,
        description="train a LoRA on each half of the pool too, to measure the check with every vote; a retrain then "
        "takes twice the steps; off: only held-out votes measure it",
    )
    checkpoint_every: int = Field(100, ge=1, le=10_000_000, description="training steps between checkpoints")
    gradient_checkpointing: bool = Field(
        False,
        description="keep fewer activations and compute the rest again: less memory, slower steps; left empty, where "
        "that is faster than smaller passes",
    )
    base_quantization: Literal["none", "fp8", "int8", "nf4"] = Field(
        "none",
        description="the UNet's linear weights in fewer bits: fp8, int8 (torchao) or nf4 (bitsandbytes, only on CUDA); "
        "left empty, only where nothing else fits",
    )
    deterministic: bool = Field(
        False, description="on a GPU, the same bytes from the same inputs, but slower; a CPU always does this"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the training run")

    webhook_url: str = Field(
        "",
        repr=False,
        description="address that is told of new, promoted and rolled-back versions and of failed retrains",
    )
    webhook_secret: str = Field("", repr=False, description="signs what the webhook sends; 32 characters or more")

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Without space around a text; a text of nothing else means the default."""
        values = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in values.items() if value != ""}

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: Any, about: ValidationInfo) -> Any:
        if isinstance(value, bool) and bool not in checks.kinds_of(cls.model_fields[about.field_name or ""].annotation):
            raise ValueError("it should be no true or false")
        return checks.clean_text(value) if isinstance(value, str) else value

    @field_validator(*PATHS, mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return checks.clean_path(str(value)) if isinstance(value, str | Path) else value

    _is_one_line = field_validator("negative_prompt", mode="before")(checks.one_line)
    _names_a_model = field_validator("model", "model_config_source", "vae", "refiner")(checks.refuse_web_address)
    _is_database = field_validator("store_url")(checks.check_store_url)
    _is_web_address = field_validator("webhook_url")(checks.check_web_address)

    @field_validator("webhook_secret")
    @classmethod
    def _is_long(cls, secret: str) -> str:
        if secret and (fault := find_fault("NAYSAYER_WEBHOOK_SECRET", secret)):
            raise ValueError(fault)
        return secret

    @property
    def weighs_prompts(self) -> bool:
        return self.prompt_weighting == "a1111"

    @property
    def is_builtin(self) -> bool:
        return self.model == BUILTIN

    @property
    def url(self) -> str:
        # Quoted, because `?` and `%` in a folder's name mean something in a URL.
        return self.store_url or f"sqlite:///{quote(str((self.data_dir / 'naysayer.db').resolve()))}"
