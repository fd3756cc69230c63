import pytest

from bench.retrain.memory import DECODE, FIT, bench_memory, table


@pytest.mark.slow
def test_each_memory_setting_lowers_the_peak_it_is_there_for():
    fit = {name: FIT[name] for name in ("default", "micro_batch=1", "gradient_checkpointing")}
    decode = {name: DECODE[name] for name in ("default", "vae_decode=tiled")}
    found = bench_memory(fit, decode, batch=32)
    fits, decodes = found["fit"]["rows"], found["decode"]["rows"]
    assert fits["micro_batch=1"]["mb_ratio"] < 0.3
    assert fits["gradient_checkpointing"]["mb_ratio"] < 0.9
    assert decodes["vae_decode=tiled"]["mb_ratio"] < 0.4
    assert "gradient_checkpointing" in table(found)
