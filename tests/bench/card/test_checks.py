import psutil
import pytest

from bench.card.card import CHECKS, run_card
from bench.card.checks import correctness
from trainer.base.model import Base, load_base
from trainer.lora.tensors import TRAINED
from trainer.sample import guidance

NEEDED_GB = 16


@pytest.fixture
def own_base(settings) -> Base:
    return load_base(settings)


def test_every_check_holds_on_the_built_in_model(own_base):
    told: list[str] = []
    found = list(correctness(own_base, 64, told.append))
    assert [one for one in found if not one.holds] == []
    assert len(found) == len(told) == CHECKS
    assert TRAINED not in (getattr(own_base.pipe.unet, "peft_config", None) or {})


def test_a_rule_that_is_wrong_is_found(own_base, monkeypatch):
    monkeypatch.setitem(guidance.RULES, "negative-half", guidance.RULES["woolf"])
    found = {one.name: one.holds for one in correctness(own_base, 64)}
    assert not found["the rule negative-half"]
    assert found["the rule same-prompt"]


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    psutil.virtual_memory().available < NEEDED_GB * 1e9, reason=f"the full-size model needs {NEEDED_GB} GB of memory"
)
def test_every_check_holds_at_full_size_on_a_cpu():
    card = run_card("cpu")
    assert [one for one in card.findings if not one.holds] == []
    assert card.left_out.startswith("no CUDA here")
