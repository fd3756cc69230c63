from feedback.workers import SeenWorker
from store.tables import Worker, WorkerState
from ui.dashboard.live.strip import EACH, workers_html


def worker(host: str = "lab-3", *, is_there: bool = True, **row: object) -> SeenWorker:
    made = Worker(name=host, host=host, **({"state": WorkerState.resting} | row))
    return SeenWorker(made, since_s=12, silent_s=1 if is_there else 180, is_there=is_there)


def test_a_worker_is_a_line_with_its_machine_its_work_and_its_pace():
    drawing = {"state": WorkerState.drawing, "versions": [0, 3], "pictures": 8, "step": 7, "steps": 20}
    page = workers_html([worker(device="NVIDIA H100", per_minute=34.2, **drawing)])
    for words in ("lab-3", "NVIDIA H100", "drawing 8 pictures with v0 and v3, step 7 of 20, for 12 s"):
        assert words in page
    assert "34 pictures a minute" in page
    assert 'role="progressbar"' in page


def test_a_worker_that_was_killed_is_said_to_be_gone():
    page = workers_html([worker(is_there=False)])
    assert "no sign of life for 3 min" in page
    assert "resting" not in page


def test_many_workers_are_a_line_a_machine():
    many = [worker(f"lab-{2 * n // (EACH + 2)}", per_minute=10.0, is_there=n != 0) for n in range(EACH + 2)]
    page = workers_html(many)
    assert page.count("<li") == 2
    assert f"0 of {EACH // 2} workers drawing, 1 ended without a word" in page
    assert f"Together {10 * (EACH + 1)} pictures a minute" in page


def test_each_card_of_a_machine_has_its_own_line():
    page = workers_html([worker("lab", device=f"H100, card {n}") for n in range(8)])
    assert [f"H100, card {n}" in page for n in range(8)] == [True] * 8
    assert page.count("<li") == 8


def test_a_machine_that_names_itself_in_html_is_escaped():
    assert "<img" not in workers_html([worker("<img src=x>")])


def test_without_any_worker_there_is_no_strip():
    assert workers_html([]) == ""


def test_the_strip_ends_with_how_fast_the_queue_fills_and_empties():
    said = "Drawing 12 a minute, rated 20 a minute: the 24 waiting last about 3 minutes"
    assert f"<p>{said}</p>" in workers_html([worker()], said)
    assert "<p>" not in workers_html([worker()])


def test_a_worker_without_its_device_says_who_has_it():
    page = workers_html([worker(state=WorkerState.waiting, waits_for="a retrain")])
    assert "waiting, because a retrain has the device (drawing goes on when it ends), for 12 s" in page
