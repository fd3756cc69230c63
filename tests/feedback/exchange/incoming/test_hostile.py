"""Rows of any shape under the names that formats use: each gives votes or a reason, never anything else."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.exchange.incoming.said import COLUMNS, Said, Source, Unread
from feedback.exchange.incoming.take import read_row

NAMES = sorted(
    {*COLUMNS, "data", "annotations", "completions", "result", "value", "choices", "completed_by", "lead_time", "meta"}
    | {"text", "keypointlabels", "x", "y", "annotator", "annotation_id", "was_cancelled", "unique_id", "mark", "email"}
    | {"fields", "responses", "verdict.responses", "verdict.responses.users", "verdict.responses.status", "metadata"}
    | {"user_id", "values", "status", "label_0", "label_1", "jpg_0", "image_0_uid", "has_label", "meaning", "path1"}
    | {"path2", "human_preference", "file_path", "image_path", "raw_annotations", "rank", "user_hash", "uid", "SDXL"}
    | {"Input.image_url", "Answer.task-quality"}
)
WORDS = ["reject", "keep", "skip", "bad", "hands", "[0.5, 1]", "[1,1]", "[1, nan]", "2026-01-01", "9" * 12, "a" * 64]
WORDS += ["000000001-c0ffeec0ffee.png", "a keep and a reject", "", "\ud800", "0", "1", "3"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(WORDS),
    st.binary(max_size=4),
)
ROWS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=24,
)


@settings(max_examples=1500, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), ROWS, min_size=1, max_size=8), st.booleans(), st.sampled_from(["", "Eve"])
)
def test_a_row_of_any_shape_gives_votes_or_a_reason(row, has_preferences, rater):
    lines = read_row(1, row, Source(Path("x rater1.tsv"), rater, has_preferences))
    for line in lines:
        assert isinstance(line, Said | Unread)
        if isinstance(line, Said):
            assert line.rater
            assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in line.marks)
            assert line.at is None or line.at.tzinfo is not None
            hash(line.picture)
        else:
            assert line.why
            json.dumps([line.line, line.why])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), ROWS, max_size=3), max_size=3), st.sampled_from(["data", "fields"])
)
def test_a_tree_with_the_outside_of_a_format_does_too(inner, kind):
    tree = {kind: inner[0] if inner else {}, "annotations": inner, "responses": inner}
    assert all(isinstance(line, Said | Unread) for line in read_row(1, tree, Source(Path("x"))))
