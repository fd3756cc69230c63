"""Processes that run until they are stopped, and start again when they end by themselves."""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO

from store.process.child import with_this_process
from store.settings.names import unknown_names

POLL_S = 0.2
"""How often whoever runs them looks at them."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
"""How long a process that ended by itself waits before it starts again; each time twice as long."""


class Child:
    """A process that runs until it is stopped, and starts again when it ends by itself.

    With a `label` each of its lines comes out after that label. `failures` counts the ends in a row that came soon.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
        label: str = "",
    ) -> None:
        self.name, self.command, self.stdout, self.label = name, command, stdout, label
        self.environment = environment or {}
        self.wait_s, self.failures = FIRST_WAIT_S, 0
        self.last_words: deque[str] = deque(maxlen=1)
        self.start()

    def start(self) -> None:
        """Starts it; it ends with this process."""
        unknown = unknown_names(os.environ, "the environment")  # this process has named them
        known = {name: value for name, value in os.environ.items() if name not in unknown} | dict(self.environment)
        command = with_this_process(self.command)
        self.last_words.clear()
        if self.label:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=known)
            threading.Thread(target=self._pass_on, args=(self.process.stdout,), daemon=True).start()
        else:
            self.process = subprocess.Popen(command, stdout=self.stdout, env=known)
        self.started_at, self.starts_at = time.monotonic(), float("inf")

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def is_done(self) -> bool:
        """Whether it ended in order."""
        return self.process.poll() == 0

    def keep_running(self, meanwhile: str) -> None:
        """Says that it ended, once, and starts it again when its time has come."""
        if self.is_running():
            return
        if self.starts_at == float("inf"):
            if time.monotonic() - self.started_at > LONGEST_WAIT_S:
                self.wait_s, self.failures = FIRST_WAIT_S, 0  # it was in order for long
            self.failures += 1
            self.starts_at = time.monotonic() + self.wait_s
            print(
                f"naysayer: the {self.name} ended ({self.words()}); {meanwhile}; "
                f"it starts again in {self.wait_s:.0f} s, Ctrl-C stops everything",
                file=sys.stderr,
                flush=True,
            )
            self.wait_s = min(2 * self.wait_s, LONGEST_WAIT_S)
        elif time.monotonic() >= self.starts_at:
            self.start()

    def words(self) -> str:
        """Why it ended, as far as is known."""
        if not self.label:
            return "its own message is above"
        if (code := self.process.returncode) is not None and code < 0:
            return f"killed by signal {-code}"
        return self.last_words[0] if self.last_words else f"without a word, exit code {code}"

    def _pass_on(self, lines: IO[bytes]) -> None:
        for line in lines:
            said = line.decode("utf-8", "replace").rstrip()
            if said:
                self.last_words.append(said)
            print(f"[{self.label}] {said}", file=sys.stderr, flush=True)


def stop_all(children: Sequence[Child], wait_s: float) -> None:
    """Asks all of them to stop, waits, and kills one that has not within `wait_s` seconds."""
    for child in children:
        child.process.terminate()
    until = time.monotonic() + wait_s
    for child in children:
        try:
            child.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
