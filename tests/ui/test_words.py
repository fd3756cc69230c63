from pathlib import Path

from feedback.figures.summary import InHand, version_rows
from feedback.people.invitations import invite, list_invitations
from feedback.sample.evaluation import list_sets, new_set
from feedback.sample.prompts import add_prompts
from store.archive.backup import backup
from store.archive.contents import BackupReport
from tests.conftest import BASE_SHA256
from ui.words import in_hand_words, invitation_table, report_words, set_line, version_table

from feedback.versions import begin  # isort: skip


def test_a_store_without_versions_says_how_to_get_one(engine):
    assert "naysayer generate" in version_table(version_rows(engine))


def test_a_version_without_votes_has_no_rate(engine):
    begin(engine, "a base", BASE_SHA256)
    head, row = version_table(version_rows(engine)).splitlines()
    assert head.split()[:2] == ["version", "alias"]
    assert row.split() == ["v0", "champion", "–", "–", "0", "0", "0", "0"]


def test_one_picture_is_not_called_pictures():
    assert in_hand_words(InHand(1, 0, 0, 0)) == "drawing 1 picture with v0"
    assert in_hand_words(InHand(2, 3, 7, 20)) == "drawing 2 pictures with v3: step 7 of 20"


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
    assert "23 files that the store had lost are not in it" in lines[0]
    assert lines[1:21] == [f"  blobs/{n}" for n in range(20)]
    assert lines[21:] == ["  and 3 more, all listed in its backup.json"]


def test_a_backup_is_a_line(engine, settings, tmp_path: Path):
    report = report_words(backup(settings, tmp_path / "all.tar"))
    assert str(tmp_path / "all.tar") in report
    assert "0 pictures" in report
