"""A version that was trained on pictures of other bases keeps how many there were."""

import json

from safetensors import safe_open

from feedback.exchange.pictures.bases import parse_models, remember
from feedback.retrain.manifest import load_manifest
from feedback.versions import get_version
from store.layout import layout_of
from store.migrate import open_store
from tests.feedback.exchange.pictures.brought import OTHER, bring, folder_of, imported, png
from tests.feedback.rating import REJECT, rate
from trainer.lora.formats import DIFFUSERS_FILE
from trainer.retrain.retrain import retrain


def test_a_version_keeps_how_many_pictures_of_other_bases_it_was_trained_on(rated, tmp_path):
    engine = open_store(rated)
    remember(engine, parse_models(["45a21ea00a=sdxl"]))
    pictures = {f"{number}__png": png(f"a fox {number}", number, OTHER) for number in range(3)}
    assert bring(rated, engine, folder_of(tmp_path / "in", **pictures))[0].left_out == 3
    rate(engine, "ann", {image.id: REJECT for image in imported(engine)})
    settings = rated.model_copy(update={"other_bases": 0.5})
    sentence = retrain(settings, force=True).sentence
    assert "3 of them drawn by other bases, at weight 0.5" in sentence
    version = get_version(engine, 1)
    assert version.settings["other_bases"] == {"pictures": 3, "weight": 0.5}
    with safe_open(layout_of(rated).version_folder(version.sha256) / DIFFUSERS_FILE, "pt") as file:
        assert json.loads(file.metadata()["naysayer.other_bases"]) == {"pictures": 3, "weight": 0.5}
    assert load_manifest(engine, version.manifest_id).of_other_bases == version.settings["other_bases"]
    engine.dispose()
