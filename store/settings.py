"""Every knob in one place, read once at the edge (command line, pages) and handed down."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from store.errors import BadRequest

BUILTIN = "builtin"


class Settings(BaseSettings):
    """The environment (`NAYSAYER_…`) wins over `.env`, `.env` over the default."""

    model_config = SettingsConfigDict(env_prefix="NAYSAYER_", env_file=".env", extra="forbid", frozen=True)

    data_dir: Path = Field(Path("data"), description="folder of the store: database, blobs, versions, checkpoints")
    store_url: str = Field("", description="database URL; empty means SQLite in the data folder")

    model: str = Field(BUILTIN, description="`builtin`, a hub id, a local folder or a single `.safetensors` file")
    model_variant: str = Field("", description="hub or folder variant of the weights, e.g. `fp16`")
    vae: str = Field("", description="another VAE (hub id or folder), e.g. an fp16-fix VAE")
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="auto: bf16 on CUDA, else fp32")
    device: str = Field("auto", description="auto: cuda, else mps, else cpu")

    guidance_scale: float | None = Field(None, ge=1, description="w of classifier-free guidance; empty: the model's")
    num_inference_steps: int | None = Field(None, ge=1, description="sampling steps; empty: the model's")
    width_px: int | None = Field(None, ge=8, description="picture width; empty: the model's")
    height_px: int | None = Field(None, ge=8, description="picture height; empty: the model's")
    negative_prompt: str = Field("", description="text of the negative half; empty: the null prompt")
    rule: Literal["negative-half", "same-prompt"] = Field(
        "same-prompt", description="how a version's LoRA steers the sampler"
    )
    strength: float | None = Field(
        None, ge=0, description="LoRA scale s (negative-half; empty: 1) or kappa (same-prompt; empty: 4)"
    )
    sample_batch: int = Field(8, ge=1, description="pictures drawn at once")
    queue_target: int = Field(24, ge=1, description="unrated pictures the worker keeps ready")
    base_slice: float = Field(0.1, ge=0, le=1, description="share of the pictures drawn by the plain base")
    evaluation_pairs: int | None = Field(
        None, ge=0, description="pairs of the default evaluation set; empty: 200, or 12 where promotion is auto"
    )
    evaluation_share: float = Field(
        0.5, ge=0, le=1, description="share of the waiting pictures that compare a challenger with the champion"
    )
    promotion: Literal["manual", "gate", "auto"] | None = Field(
        None,
        description="who promotes a challenger: a person, the blind same-seed votes, or its retrain at once; "
        "empty: auto with the built-in model while it retrains by itself, else gate",
    )
    prompt_scorer: str = Field(
        "", description="`module:function` of a picture and its prompt that says how well it was followed, 0 to 1"
    )

    overlap: int = Field(1, ge=1, description="raters who judge each picture")
    lease_s: float = Field(600, gt=0, description="how long a picture stays reserved for the rater who was shown it")

    retrain_after: int | None = Field(
        None,
        ge=1,
        description="new rejects that make a retrain due; empty: 40 for the built-in model, else 100",
    )
    auto_retrain: bool | None = Field(
        None,
        description="the worker retrains when due; empty: only with the built-in model",
    )
    objective: Literal["nft", "sft"] = Field("nft", description="training objective; nft needs keeps, else sft is used")
    lora_rank: int = Field(16, ge=1, le=128, description="rank of the LoRA; alpha is the same, so scale 1")
    lora_layers: Literal["attention", "all"] = Field(
        "all", description="attention projections alone, or feed-forward and convolutions as well"
    )
    train_steps: int = Field(300, ge=1, description="optimiser steps of a retrain")
    train_batch: int = Field(16, ge=1, description="latents a step, half rejects and half keeps")
    learning_rate: float = Field(5e-4, gt=0, description="peak of the cosine schedule (AdamW)")
    min_timestep: int = Field(400, ge=0, le=999, description="the noisier timesteps are fitted, from this one to 999")
    null_dropout: float = Field(0.1, ge=0, le=1, description="share of training rows with the null prompt")
    checkpoint_every: int = Field(50, ge=1, description="training steps between checkpoints")
    seed: int = Field(0, ge=0, description="seed of the training run")

    host: str = Field("127.0.0.1", description="address the pages listen on; only this machine's are accepted")
    port: int = Field(8501, ge=1, le=65535, description="port of the pages")

    webhook_url: str = Field("", description="told of published, promoted, rolled back, failed; empty: nobody is told")
    webhook_secret: str = Field("", description="signs what is sent (HMAC-SHA256), 32 characters or more")
    metrics_open: bool = Field(False, description="give the metrics to other machines as well")

    @field_validator("webhook_secret")
    @classmethod
    def _is_long(cls, secret: str) -> str:
        if 0 < len(secret) < 32:
            raise ValueError("a secret has 32 characters or more, e.g. from `openssl rand -hex 32`")
        return secret

    @field_validator("host")
    @classmethod
    def _is_loopback(cls, host: str) -> str:
        if host != "localhost" and not ip_address(host).is_loopback:
            raise ValueError("the pages have no sign-in yet, so they listen on this machine alone, e.g. 127.0.0.1")
        return host

    @property
    def is_builtin(self) -> bool:
        return self.model == BUILTIN

    @property
    def url(self) -> str:
        # Quoted, because `?` and `%` in a folder's name mean something in a URL.
        return self.store_url or f"sqlite:///{quote(str((self.data_dir / 'naysayer.db').resolve()))}"

    @property
    def strength_used(self) -> float:
        return {"negative-half": 1.0, "same-prompt": 4.0}[self.rule] if self.strength is None else self.strength

    @property
    def rejects_needed(self) -> int:
        return self.retrain_after or (40 if self.is_builtin else 100)

    @property
    def retrains_itself(self) -> bool:
        return self.is_builtin if self.auto_retrain is None else self.auto_retrain

    @property
    def promotion_used(self) -> str:
        return self.promotion or ("auto" if self.is_builtin and self.retrains_itself else "gate")

    @property
    def pairs_wanted(self) -> int:
        if self.evaluation_pairs is not None:
            return self.evaluation_pairs
        return 12 if self.promotion_used == "auto" else 200


def read_settings() -> Settings:
    """The settings of this process. Raises BadRequest naming the first value that will not do."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "NAYSAYER_" + "_".join(str(part) for part in first["loc"]).upper()
        why = first["msg"].removeprefix("Value error, ")
        raise BadRequest(f"{name} is {first['input']!r}: {why}; see docs/settings.md") from error
