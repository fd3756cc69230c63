import os
import signal

import pytest

from store.errors import BadRequest, Busy, Interrupted
from store.process import catch_stop_signals, run_command


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadRequest("a"), 1), (OSError("a"), 1), (Busy("a"), 75), (Interrupted(1, 2), 75)],
    ids=["ours", "the system's", "busy", "interrupted"],
)
def test_an_error_is_one_line_and_an_exit_code(error, code, capsys):
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_command(fail)
    assert ended.value.code == code
    assert capsys.readouterr().err == f"naysayer: {error}\n"


def test_an_error_that_is_not_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_sets_the_event_and_the_old_handler_comes_back(number):
    before = signal.getsignal(number)
    with catch_stop_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before
