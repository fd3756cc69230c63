"""Cron line and systemd units that call `naysayer retrain` when due."""

import shlex
import sys
from pathlib import Path

from store.settings import Settings


def schedule_words(settings: Settings) -> str:
    """Both ways to have retrains started, ready to paste. Exit codes: 0 done or not due, 1 failed, 75 one runs."""
    program = Path(sys.executable).with_name("naysayer")
    folder, data = Path.cwd(), settings.data_dir.resolve()
    call = f"NAYSAYER_DATA_DIR={shlex.quote(str(data))} {shlex.quote(str(program))} retrain"
    return f"""# cron: `crontab -e`, then this line. Not due: a second and one line; one retrain runs at a time.
* * * * * cd {shlex.quote(str(folder))} && {call} --json >> {shlex.quote(str(data / "cron.log"))} 2>&1

# systemd: two files, then `systemctl --user enable --now naysayer-retrain.timer`.
# ~/.config/systemd/user/naysayer-retrain.service
[Unit]
Description=Naysayer: retrain when enough new rejects have come

[Service]
Type=oneshot
WorkingDirectory={folder}
Environment="NAYSAYER_DATA_DIR={data}"
ExecStart="{program}" retrain --json
SuccessExitStatus=75
Nice=10

# ~/.config/systemd/user/naysayer-retrain.timer
[Unit]
Description=Naysayer: look every minute whether a retrain is due

[Timer]
OnCalendar=minutely
RandomizedDelaySec=10

[Install]
WantedBy=timers.target

# Exit codes: 0 done or not due, 1 failed (one sentence on standard error), 75 another retrain runs.
# Each retrain that did something adds a JSON line to {data / "retrain.jsonl"}."""
