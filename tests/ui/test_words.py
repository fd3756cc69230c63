from pathlib import Path

from feedback.figures.summary import version_rows
from feedback.people.invitations import invite, list_invitations
from feedback.sample.evaluation import list_sets, new_set
from feedback.sample.prompts import add_prompts
from feedback.workers import NO_WORKER, SeenWorker
from store.archive.backup import backup
from store.archive.contents import BackupReport
from store.tables import Worker, WorkerState
from tests.conftest import BASE_SHA256
from ui.words import invitation_table, report_words, set_line, version_table, worker_lines

from feedback.versions import begin  # isort: skip


def test_a_store_without_versions_says_how_to_get_one(engine):
    assert "naysayer generate" in version_table(version_rows(engine))


def test_a_version_without_votes_has_no_rate(engine):
    begin(engine, "a base", BASE_SHA256)
    head, row = version_table(version_rows(engine)).splitlines()
    assert head.split()[:2] == ["version", "alias"]
    assert row.split() == ["v0", "champion", "–", "–", "0", "0", "0", "0"]


def test_the_workers_are_a_line_each_and_without_one_it_is_said_how_to_start_one():
    row = Worker(
        name="w", host="lab-3", device="NVIDIA H100", state=WorkerState.drawing, versions=[3], pictures=1, per_minute=34
    )
    there, gone = SeenWorker(row, 12, 1, is_there=True), SeenWorker(row, 900, 300, is_there=False)
    assert worker_lines([there], is_alive=True) == [
        "worker on lab-3, NVIDIA H100: drawing 1 picture with v3 for 12 s; 34 pictures a minute"
    ]
    said = worker_lines([gone], is_alive=False)
    assert said == ["worker on lab-3, NVIDIA H100: no sign of life for 5 min; it ended without a word", NO_WORKER]
    assert worker_lines([], is_alive=False) == [NO_WORKER]
    assert worker_lines([], is_alive=True) == ["a worker is starting"]


def test_an_invitation_is_listed_by_name_and_end(engine):
    assert "naysayer invite NAME" in invitation_table(list_invitations(engine))
    invite(engine, "Ada", days=1, secret="x" * 32)
    (line,) = invitation_table(list_invitations(engine)).splitlines()
    assert line.startswith("Ada")
    assert "revoked" not in line


def test_an_evaluation_set_is_a_line(engine):
    add_prompts(engine, ["a red star", "a blue hand"])
    new_set(engine, "fresh", 4)
    (row,) = list_sets(engine)
    assert set_line(row).startswith("set 1 (fresh): 4 pairs over 2 prompts")
    assert set_line(row).endswith(", in use")


def test_a_backup_names_what_the_store_had_lost():
    report = BackupReport(Path("b.tar"), "0007", 1, 2, 3, 4, 10**6, tuple(f"blobs/{n}" for n in range(23)))
    lines = report_words(report).splitlines()
    assert "not in it, because the store had lost them: 23 files" in lines[0]
    assert lines[1:21] == [f"  blobs/{n}" for n in range(20)]
    assert lines[21:] == ["  and 3 more, all listed in its backup.json"]


def test_a_backup_is_a_line(engine, settings, tmp_path: Path):
    report = report_words(backup(settings, tmp_path / "all.tar"))
    assert str(tmp_path / "all.tar") in report
    assert "0 pictures" in report
