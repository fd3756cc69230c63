"""The texts that were read last, kept as their embeddings: a list's prompts are drawn again and again."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from torch import device, nn

from trainer.lora.text_encoders import PromptEmbeds

MOST = 256
"""Texts that are kept, on the CPU: 80 MB for SDXL in bf16, if they are short."""


class TextMemory:
    """Texts as one set of weights reads them. Each is encoded on its own, so what stands beside it changes no bit.

    With `most` 0 nothing is kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[str, PromptEmbeds] = OrderedDict()

    def read(
        self, texts: Sequence[str], encode: Callable[[Sequence[str]], list[PromptEmbeds]], on: device
    ) -> list[PromptEmbeds]:
        """Each text's embeddings, by `encode` where they are not kept, on that device."""
        found = {text: self._kept.get(text) or encode([text])[0] for text in dict.fromkeys(texts)}
        for text, own in found.items():
            self._kept[text] = PromptEmbeds(*(tensor.detach().cpu() for tensor in own))
            self._kept.move_to_end(text)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return [PromptEmbeds(*(tensor.to(on) for tensor in found[text])) for text in texts]


_BY_ENCODER: WeakKeyDictionary[nn.Module, dict[bool, TextMemory]] = WeakKeyDictionary()


def memory_of(encoder: nn.Module, *, is_weighted: bool) -> TextMemory:
    """The texts that a loaded text encoder read last by its own weights, with or without weights in the prompt."""
    return _BY_ENCODER.setdefault(encoder, {}).setdefault(is_weighted, TextMemory())
