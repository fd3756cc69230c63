"""Settings of the sampler: each decides the pictures, and how fast they are drawn."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator


class SamplingSettings(BaseModel):
    """The rule that steers, sampler, steps and size, and at which noise levels guidance is."""

    guidance_scale: float | None = Field(None, ge=1, le=100, description="guidance scale; empty: the model's")
    num_inference_steps: int | None = Field(None, ge=1, le=1000, description="sampling steps; empty: the model's")
    width_px: int | None = Field(None, ge=8, le=8192, multiple_of=8, description="picture width; empty: the model's")
    height_px: int | None = Field(None, ge=8, le=8192, multiple_of=8, description="picture height; empty: the model's")
    rule: Literal["negative-half", "same-prompt", "woolf"] = Field(
        "same-prompt", description="how a version steers the sampler: same-prompt, negative-half or woolf"
    )
    strength: float | None = Field(
        None,
        ge=0,
        le=100,
        description="LoRA scale s (negative-half, woolf) or kappa (same-prompt); empty: chosen after each fit",
    )
    guidance_gain: float = Field(
        0.3, ge=0, le=100, description="same-prompt: how much the guidance scale grows for each unit of kappa"
    )
    scheduler: Literal["euler", "dpmpp_2m", "dpmpp_2m_karras"] | None = Field(
        None,
        description="sampler by ComfyUI's name: euler, dpmpp_2m or dpmpp_2m_karras, which needs fewer steps than "
        "euler; empty: the model's",
    )
    guidance_sigma_min: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="guidance and the LoRA only at noise levels from this sigma up; empty: no limit",
    )
    guidance_sigma_max: float | None = Field(
        None, gt=0, le=1000, description="guidance and the LoRA only at noise levels up to this sigma; empty: no limit"
    )
    compile: bool = Field(
        False,
        description="the UNet's blocks are compiled by torch for whole batches: faster on most GPUs, hardly on a CPU; "
        "the first batch of each kind waits for it",
    )

    @model_validator(mode="after")
    def _is_an_interval(self) -> Self:
        low, high = self.guidance_sigma_min, self.guidance_sigma_max
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"NAYSAYER_GUIDANCE_SIGMA_MIN is {low:g}, not below NAYSAYER_GUIDANCE_SIGMA_MAX, {high:g}; "
                "lower the one or raise the other"
            )
        return self

    @property
    def guidance_interval(self) -> str | None:
        """The noise levels with guidance, in words; None where all have it.

        >>> SamplingSettings(guidance_sigma_min=0.28, guidance_sigma_max=5.42).guidance_interval
        'sigma 0.28 to 5.42'
        >>> SamplingSettings(guidance_sigma_max=5.42).guidance_interval, SamplingSettings().guidance_interval
        ('sigma 0 to 5.42', None)
        """
        low, high = self.guidance_sigma_min, self.guidance_sigma_max
        if low is None and high is None:
            return None
        return f"sigma {low or 0:g} " + ("and up" if high is None else f"to {high:g}")
