import json

import pytest

from store.errors import Busy, NonFiniteLoss
from trainer.retrain.retrain import Outcome
from trainer.retrain.runlog import LOG, Told, logged


def test_each_run_that_did_something_leaves_one_json_line(settings) -> None:
    told: list[Told] = []

    def fails() -> Outcome:
        raise NonFiniteLoss(3, float("nan"))

    def is_busy() -> Outcome:
        raise Busy("another runs")

    logged(settings, lambda: Outcome("not due: 1 of 2"), told.append)
    logged(settings, lambda: Outcome("published v1", 1), told.append)
    with pytest.raises(NonFiniteLoss):
        logged(settings, fails, told.append)
    with pytest.raises(Busy):
        logged(settings, is_busy, told.append)
    lines = [json.loads(line) for line in (settings.data_dir / LOG).read_text().splitlines()]
    assert [(line["outcome"], line["version"]) for line in lines] == [("published", 1), ("failed", None)]
    assert [json.loads(one.line)["outcome"] for one in told] == ["not due", "published", "failed", "busy"]
    assert [one.sentence for one in told] == ["not due: 1 of 2", "published v1", "", ""]
