import errno
import os
import signal
import tempfile

import pytest
from sqlalchemy.exc import DataError, OperationalError

from store.errors import BadRequest, Busy, Interrupted
from store.process import DETAILS, catch_stop_signals, run_command
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadRequest("a"), 1), (OSError("a"), 1), (Busy("a"), 75), (Interrupted("at step 1 of 2"), 75)],
    ids=["ours", "the system's", "busy", "interrupted"],
)
def test_an_error_is_one_line_and_an_exit_code(error, code, capsys):
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_command(fail)
    assert ended.value.code == code
    assert capsys.readouterr().err == f"naysayer: {error}\n"


def message_of(error: Exception, capsys) -> str:
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_command(fail)
    assert ended.value.code == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_an_error_that_nobody_foresaw_is_one_sentence_that_names_the_details(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    message = message_of(ZeroDivisionError("division\nby zero"), capsys)
    assert "unforeseen happened (ZeroDivisionError: division by zero)" in message
    assert str(tmp_path / DETAILS) in message
    assert "Traceback" in (tmp_path / DETAILS).read_text()


def test_without_a_data_folder_the_details_are_among_the_temporary_files(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert str(tmp_path / DETAILS) in message_of(KeyError("x"), capsys)
    assert not (tmp_path / "none").exists()


def test_no_secret_is_in_the_message_or_in_the_details(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NAYSAYER_WEBHOOK_SECRET", "hunter2" * 5)
    (tmp_path / ".env").write_text("NAYSAYER_SECRET=swordfish-swordfish-swordfish-swordfish\n")
    text = f"{'hunter2' * 5} swordfish-swordfish-swordfish-swordfish postgresql://ada:pw1234@db/x"
    message = message_of(RuntimeError(text), capsys) + (tmp_path / DETAILS).read_text()
    assert not [secret for secret in ("hunter2", "swordfish", "pw1234") if secret in message]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "x.png"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OperationalError("INSERT", {}, Exception("database or disk is full")),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
    ids=["disk", "quota", "database", "safetensors"],
)
def test_a_full_disk_is_called_one_wherever_it_shows(error, capsys):
    assert message_of(error, capsys).startswith("naysayer: disk full")


def test_a_number_that_no_store_can_hold_is_called_one(capsys):
    assert "a number is too large" in message_of(OverflowError("Python int too large"), capsys)
    assert "a number is too large" in message_of(DataError("INSERT", {}, Exception("integer out of range")), capsys)


def test_a_database_that_fails_is_one_sentence(capsys):
    error = OperationalError("SELECT", {}, Exception("server closed\nthe connection"))
    assert message_of(error, capsys).startswith("naysayer: the database cannot be used (server closed the connection)")


def test_what_the_system_says_of_a_file_is_a_sentence(capsys, tmp_path):
    with pytest.raises(IsADirectoryError) as found:
        tmp_path.read_bytes()
    assert message_of(found.value, capsys) == (
        f"naysayer: Is a directory: {tmp_path}; check the name, and that you may read and write there\n"
    )


def test_a_name_that_is_no_text_does_not_end_the_message(capfd):
    assert "\\udcff" in message_of(BadRequest("\udcff"), capfd)


def test_a_hangup_stops_a_command_unless_it_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with catch_stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.wait(PATIENCE_S)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with catch_stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.wait(0.2)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_sets_the_event_and_the_old_handler_comes_back(number):
    before = signal.getsignal(number)
    with catch_stop_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(PATIENCE_S)
    assert signal.getsignal(number) is before
