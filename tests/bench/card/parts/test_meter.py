"""The branch of a card, with torch's own functions replaced by ones that refuse what the real ones refuse."""

import pytest
import torch
from torch.cuda._utils import _get_device_index

from bench.card.parts.meter import Meter
from trainer.base.free import memory_of

WHOLE = 80 * 10**9
CARD = torch.device("cuda", 0)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A card of 80 GB, of which torch holds 7; what it was told."""
    told = {"reserved": 7e9, "fraction": 1.0, "ooms": 2}

    def cap(fraction: float, device: torch.device) -> None:
        _get_device_index(device)  # raises for a card without its number
        assert isinstance(fraction, float) and 0 <= fraction <= 1
        told["fraction"] = fraction

    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", cap)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (WHOLE - 8 * 10**9, WHOLE))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: told["reserved"])
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: told["reserved"] + 1e9)
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda device: {"num_ooms": told["ooms"]})
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    return told


def test_a_capped_card_says_that_it_has_no_more(card):
    meter = Meter(CARD)
    with meter.capped(8 * 10**9):
        assert card["fraction"] == 0.1
        assert memory_of(CARD) == (10**9, 8 * 10**9)
        card["reserved"] = 9e9
        assert memory_of(CARD).free == 0
    assert card["fraction"] == 1.0
    assert memory_of(CARD).whole == WHOLE


def test_the_cap_ends_with_an_error_too(card):
    with pytest.raises(RuntimeError), Meter(CARD).capped(8 * 10**9):
        raise RuntimeError("out of memory")
    assert card["fraction"] == 1.0
    assert memory_of(CARD).whole == WHOLE


def test_what_ran_out_before_does_not_count(card):
    meter = Meter(CARD)
    meter.start()
    assert meter.ooms == 0
    card["ooms"] = 5
    assert (meter.ooms, meter.peak) == (3, 8 * 10**9)


def test_what_torch_holds_already_is_for_us(card):
    assert Meter(CARD).for_us == (WHOLE - 10**9, WHOLE)


def test_a_cpu_has_no_cap():
    before = memory_of(torch.device("cpu")).whole
    meter = Meter(torch.device("cpu"))
    with meter.capped(1):
        assert memory_of(torch.device("cpu")).whole == before
    assert meter.ooms == 0
    assert meter.peak > 10**7
