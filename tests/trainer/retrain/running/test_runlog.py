import json

import pytest

from store.errors import Busy, MovedStore, NonFiniteLoss
from trainer.retrain.retrain import RetrainResult
from trainer.retrain.running.runlog import LOG, Report, log_run


def test_each_run_that_did_something_leaves_one_json_line(settings) -> None:
    told: list[Report] = []

    def fails() -> RetrainResult:
        raise NonFiniteLoss(3, float("nan"))

    def is_busy() -> RetrainResult:
        raise Busy("another runs")

    settings.data_dir.mkdir()
    log_run(settings, lambda: RetrainResult("not due: 1 of 2"), told.append)
    log_run(settings, lambda: RetrainResult("published v1", 1), told.append)
    with pytest.raises(NonFiniteLoss):
        log_run(settings, fails, told.append)
    with pytest.raises(Busy):
        log_run(settings, is_busy, told.append)
    lines = [json.loads(line) for line in (settings.data_dir / LOG).read_text().splitlines()]
    assert [(line["outcome"], line["version"]) for line in lines] == [("published", 1), ("failed", None)]
    assert [json.loads(one.line)["outcome"] for one in told] == ["not due", "published", "failed", "busy"]
    assert [one.sentence for one in told] == ["not due: 1 of 2", "published v1", "", ""]


def test_a_data_folder_that_is_gone_is_not_made_again(settings):
    def fails() -> RetrainResult:
        raise MovedStore(settings.data_dir)

    with pytest.raises(MovedStore):
        log_run(settings, fails, lambda report: None)
    assert not settings.data_dir.exists()
