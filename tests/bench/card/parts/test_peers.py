import sys

import pytest

from bench.card.parts.peers import Scripts, beside_peers
from bench.retrain.peers import Plan, diffusers_options, kohya_options, lay_out_for_kohya, loop_seconds
from store.errors import BadRequest
from trainer.base.weights import BUILTIN_FOLDER

SMALL = Plan(images=8, batch=2, micro_batch=2, steps=2, rank=2, held_out=0)
BAR = 'print("Steps: 100%|##########| 2/2 [00:04<00:00,  2.0s/it]")\n'


def quiet(name: str) -> None:
    """Tells nobody."""


@pytest.mark.slow
def test_our_side_runs_and_a_script_that_fails_is_named(subject, tmp_path):
    (tmp_path / "good.py").write_text(f"import sys\nassert '--train_data_dir' in sys.argv\n{BAR}")
    (tmp_path / "bad.py").write_text("raise SystemExit('no such option')\n")
    scripts = Scripts(tmp_path / "good.py", tmp_path / "bad.py")
    found, failed = beside_peers(subject, scripts, quiet, SMALL)
    assert list(found["sides"]) == ["naysayer", "diffusers"]
    assert found["sides"]["naysayer"]["images_per_s"] > 0
    assert found["sides"]["diffusers"]["images_per_s"] == 1.0
    [sentence] = failed
    assert sentence.startswith("bad.py failed:") and "no such option" in sentence


def test_a_script_that_was_not_named_is_said_and_one_that_is_missing_is_refused(tmp_path):
    assert len(Scripts().missing) == 2
    assert Scripts().given == {}
    named = Scripts(diffusers=tmp_path / "none.py")
    assert [sentence for sentence in named.missing if "kohya" in sentence] == named.missing
    with pytest.raises(BadRequest, match="is not a file"):
        named.require()


def test_each_script_runs_with_its_own_interpreter(tmp_path):
    given = Scripts(tmp_path / "a.py", tmp_path / "b.py", tmp_path / "one", tmp_path / "two").given
    assert [given[name].python.name for name in ("diffusers", "kohya")] == ["one", "two"]
    assert str(Scripts().python) == sys.executable


def test_both_scripts_get_the_same_work(tmp_path):
    plan = Plan(batch=4, steps=30, rank=8, dtype="bf16", model="full-size-random", checkpointing=True)
    lists = [list(how(plan, tmp_path, "base", tmp_path / "out", 0)) for how in (diffusers_options, kohya_options)]
    for name, value in {"--train_batch_size": "4", "--max_train_steps": "30", "--mixed_precision": "bf16"}.items():
        assert all(words[words.index(name) + 1] == value for words in lists)
    assert all("--gradient_checkpointing" in words for words in lists)
    assert "1024" in lists[0] and "1024,1024" in lists[1]


def test_kohyas_pictures_have_their_captions_and_its_tokenizers_their_names(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "000001.png").write_bytes(b"picture")
    (tmp_path / "pictures" / "metadata.jsonl").write_text('{"file_name": "000001.png", "text": "a red star"}\n')
    lay_out_for_kohya(tmp_path, BUILTIN_FOLDER)
    assert (tmp_path / "kohya" / "pictures" / "1_pictures" / "000001.txt").read_text() == "a red star"
    for name in ("openai_clip-vit-large-patch14", "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k"):
        assert (tmp_path / "kohya" / "tokenizers" / name / "tokenizer_config.json").is_file()


def test_kohyas_script_needs_sdxls_own_tokenizers(tmp_path):
    script = tmp_path / "sdxl_train_network.py"
    script.touch()
    with pytest.raises(BadRequest, match="--tokenizers"):
        Scripts(kohya=script).require()
    for name in ("tokenizer", "tokenizer_2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.json").touch()
    Scripts(kohya=script, tokenizers=tmp_path).require()


def test_hours_count_in_a_scripts_bar():
    assert loop_seconds("steps: 100%|#| 9/9 [1:00:05<00:00, 2s/it]") == 3605
