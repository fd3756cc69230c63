"""The published tables of ImagenHub, GenEval and Intel, row by row."""

import os
from collections import Counter
from pathlib import Path

import pytest

from bench.rate.ratings import counts_of, geneval, imagenhub, intel_rejects
from feedback.exchange.incoming.files import read_rows
from feedback.exchange.incoming.said import Said, Source
from feedback.exchange.incoming.take import read_row
from store.tables import Reason, Verdict

needs_real_data = pytest.mark.skipif("NAYSAYER_REALDATA" not in os.environ, reason="NAYSAYER_REALDATA is not set")


def said_in(name: str, rater: str = "") -> list[Said]:
    path = Path(os.environ["NAYSAYER_REALDATA"]) / "ratings" / name
    lines = [line for number, row in read_rows(path) for line in read_row(number, row, Source(path, rater))]
    return [line for line in lines if isinstance(line, Said)]


@needs_real_data
def test_imagenhub_gives_each_models_picture_a_vote_of_the_rater_in_the_files_name():
    said = said_in("imagenhub/Text-To-Image_rater1.tsv")
    assert {one.rater for one in said} == {"ImagenHub rater1"}
    folder = Path(os.environ["NAYSAYER_REALDATA"]) / "ratings"
    semantic = [row[0] for row in imagenhub(folder, "semantic")]
    perceptual = [row[0] for row in imagenhub(folder, "perceptual")]
    bad = sum(a == 1 or b == 1 for a, b in zip(semantic, perceptual, strict=True) if a is not None)
    assert Counter(one.verdict for one in said) == {Verdict.reject: bad, Verdict.keep: len(said) - bad}
    reasons = Counter(reason for one in said for reason in one.reasons)
    assert reasons == {Reason.prompt_not_followed: semantic.count(1), Reason.artefact: perceptual.count(1)}
    assert said[0].picture.name == "DALLE/sample_0.jpg"


@needs_real_data
def test_geneval_needs_a_rater_and_judges_quality_as_the_bench_does():
    assert said_in("geneval_annotations_sdv2.csv") == []
    said = said_in("geneval_annotations_sdv2.csv", "a crowd")
    rejects = sum(rejects for rejects, _ in counts_of(geneval(Path(os.environ["NAYSAYER_REALDATA"]) / "ratings")))
    assert Counter(one.verdict for one in said)[Verdict.reject] == rejects
    assert said[0].picture.name.endswith("00328/samples/00001.png")


@needs_real_data
def test_intels_thumbs_are_read_as_a_table_of_labels():
    said = said_in("intel_annotations_df_230311.csv", "Intel")
    down, thumbs = intel_rejects(Path(os.environ["NAYSAYER_REALDATA"]) / "ratings")
    assert (len(said), Counter(one.verdict for one in said)[Verdict.reject]) == (thumbs, down)
