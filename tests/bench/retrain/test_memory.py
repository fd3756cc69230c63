import pytest

from bench.retrain.memory import bench_memory, table


@pytest.mark.alone  # peaks are of whole processes
@pytest.mark.slow
def test_each_memory_setting_lowers_the_peak_it_is_there_for():
    found = bench_memory()
    fit, decode = found["fit"]["rows"], found["decode"]["rows"]
    assert fit["micro_batch=1"]["mb_ratio"] < 0.3
    assert fit["gradient_checkpointing"]["mb_ratio"] < 0.9
    assert decode["vae_decode=sliced"]["mb_ratio"] < 0.6
    assert decode["vae_decode=tiled"]["mb_ratio"] < 0.4
    for kind in ("fp8", "int8"):
        row = fit[f"base_quantization={kind}"]
        assert row is None or row["weights_mb_ratio"] < 0.7
    assert "gradient_checkpointing" in table(found)
