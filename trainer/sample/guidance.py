"""The sampling rules: where a version's LoRA enters classifier-free guidance.

Shape suffixes: R rows of one UNet call, B pictures. The stock pipeline calls the UNet with R = 2B rows: the null
(or negative) prompt first, then the prompt, and combines them to  eps = null + w (cond - null).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainer.lora.text_encoders import PromptEmbeds
from trainer.prompts.memory import TextMemory
from trainer.sample.adapter_rows import (
    EVERY_ROW,
    Adapter,
    Forward,
    LastResults,
    Part,
    cache_last,
    make_forwards,
    swap_forwards,
)
from trainer.sample.speed.interval import Interval

RULES = {"plain": None, "negative-half": Part(0, 2), "same-prompt": Part(2, 3), "woolf": EVERY_ROW}
"""Which rows of a call the LoRA acts on, by rule."""


class Steering:
    """A rule prepared for one UNet and adapter; `applied` puts it in force, as often as wanted.

    `plain`: only the base. `negative-half`: the LoRA at scale `strength` on the null rows (Diffusion-NPO, Wang et
    al. 2025). `same-prompt`: a third row with the LoRA and the same prompt, eps + strength (cond - lora), whose
    optimum is the policy of DiffusionNFT (Zheng et al. 2025). `woolf`: the LoRA at scale `strength` on every row; it
    steers through its trigger word, given as the negative prompt (Woolf 2023). Without `keeps_text` the text's keys and
    values are computed at every step, as compiled blocks need it.
    """

    def __init__(
        self, unet: nn.Module, adapter_name: str, rule: str, strength: float, *, keeps_text: bool = True
    ) -> None:
        if rule not in RULES:
            raise ValueError(f"unknown sampling rule {rule!r}")
        part = RULES[rule] if strength else None
        self.scale = 1.0 if rule == "same-prompt" else strength
        self.unet, self.adapter_name, self.rule, self.strength = unet, adapter_name, rule, strength
        self.has_third_row = rule == "same-prompt" and part is not None
        self.kept: LastResults = {}
        self.texts = TextMemory()
        kept = self.kept if keeps_text else None
        self.forwards = make_forwards(unet, Adapter(adapter_name, self.scale), part, kept) if part else []

    @contextmanager
    def applied(self, third: PromptEmbeds | None = None, interval: Interval | None = None) -> Iterator[None]:
        """While it lasts, every UNet call of the stock pipeline follows the rule, still one batched call a step.

        `third` is the text of a third row where it is not the prompt's own. With an interval, only calls at its noise
        levels follow the rule; the others have neither guidance nor the LoRA.
        """
        call = self._call(third)
        with ExitStack() as undo:
            undo.callback(self.kept.clear)
            if interval is None:
                undo.enter_context(swap_forwards([(self.unet, call), *self.forwards]))
            else:
                undo.enter_context(interval.applied(self.unet, call, partial(swap_forwards, self.forwards)))
            yield

    def _call(self, third: PromptEmbeds | None) -> Forward:
        """The UNet's forward, with a third row where the rule has one."""
        forward = self.unet.forward
        if not self.has_third_row:
            return forward
        hidden, pooled = third or (None, None)
        add = _three_rows(cache_last(_with_third(hidden), self.kept), _with_third(pooled))

        def three_rows(*args: Any, **kwargs: Any) -> tuple[Tensor]:
            more, given = add(args, kwargs)
            return _fold_third_row(self.strength, forward(*more, **given))

        return three_rows


@contextmanager
def steered(unet: nn.Module, adapter_name: str, rule: str, strength: float) -> Iterator[None]:
    """While it lasts, every UNet call of the stock pipeline follows `rule`."""
    with Steering(unet, adapter_name, rule, strength).applied():
        yield


def _three_rows(of_the_text: Forward, of_the_pooled: Forward) -> Callable[[Any, Any], tuple[Any, dict[str, Any]]]:
    """2B rows become 3B: null, prompt, and the prompt once more for the LoRA."""
    again = _with_third(None)

    def add_third_row(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        added = {key: again(value) for key, value in kwargs["added_cond_kwargs"].items() if key != "text_embeds"}
        added["text_embeds"] = of_the_pooled(kwargs["added_cond_kwargs"]["text_embeds"])
        hidden = of_the_text(kwargs["encoder_hidden_states"])
        return (again(args[0]), *args[1:]), kwargs | {"encoder_hidden_states": hidden, "added_cond_kwargs": added}

    return add_third_row


def _fold_third_row(kappa: float, output: tuple[Tensor]) -> tuple[Tensor]:
    # The same shift on both halves passes through the pipeline's null + w (cond - null) unchanged.
    null, cond, lora = output[0].chunk(3)
    shift = kappa * (cond - lora)
    return (torch.cat([null + shift, cond + shift]),)


def _with_third(own: Tensor | None) -> Forward:
    """Adds a third part to two halves: its own, or the second half once more."""
    return lambda rows: torch.cat([rows, rows[len(rows) // 2 :] if own is None else own.to(rows)])
