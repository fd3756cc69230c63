"""Cron line and systemd units that call `naysayer retrain` when due, with the settings of this shell."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from store.settings import PREFIX, Settings
from store.settings.sources import SECRETS
from store.settings_file import Origin, keep, origins


def schedule_words(settings: Settings) -> str:
    """Both ways to have retrains started, ready to paste. Exit codes: 0 done or not due, 1 failed, 75 one runs."""
    program, folder = Path(sys.executable).with_name("naysayer"), Path.cwd()
    data = settings.data_dir.resolve()
    mine = of_this_shell(settings)
    variables = {f"{PREFIX}DATA_DIR": str(data)} | {f"{PREFIX}{one.field.upper()}": one.words for one in mine}
    return f"""# cron: `crontab -e`, then this line. When nothing is due it takes a second and prints one line.
{cron_line(program, folder, data, variables)}

# systemd: two files, then `systemctl --user enable --now naysayer-retrain.timer`.
# ~/.config/systemd/user/naysayer-retrain.service
[Unit]
Description=Naysayer: retrain when enough new rejects have come

[Service]
Type=oneshot
WorkingDirectory={_unit(str(folder))}
{chr(10).join(f'Environment="{_unit(f"{name}={value}")}"' for name, value in variables.items())}
ExecStart="{_unit(str(program))}" retrain --json
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
# Each retrain that did something adds a JSON line to {data / "retrain.jsonl"}.{_advice(settings, mine)}"""


def cron_line(program: Path, folder: Path, data: Path, variables: dict[str, str]) -> str:
    r"""The line of a crontab. Cron ends a command at a `%` without a backslash.

    >>> cron_line(Path("naysayer"), Path("/srv"), Path("/srv/50%"), {"NAYSAYER_DATA_DIR": "/srv/50%"})
    '* * * * * cd /srv && NAYSAYER_DATA_DIR=/srv/50\\% naysayer retrain --json >> /srv/50\\%/cron.log 2>&1'
    """
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    log = shlex.quote(str(data / "cron.log"))
    command = f"cd {shlex.quote(str(folder))} && {settings} {shlex.quote(str(program))} retrain --json >> {log} 2>&1"
    return "* * * * * " + command.replace("%", r"\%")


def of_this_shell(settings: Settings) -> list[Origin]:
    """The settings that only this shell's environment holds; secrets and the data folder left out."""
    left_out = {*SECRETS, "data_dir"}
    return [one for one in origins(settings) if one.place == "environment" and one.field not in left_out]


def keep_this_shells(settings: Settings) -> list[str]:
    """Writes the settings of this shell into the data folder; returns their names."""
    kept = of_this_shell(settings)
    for one in kept:
        keep(settings.data_dir, one.field, one.text)
    return [one.field for one in kept]


def _advice(settings: Settings, mine: Sequence[Origin]) -> str:
    """What a scheduled retrain would not see, and how to change that."""
    secrets = [one.field for one in origins(settings) if one.field in SECRETS and one.place == "environment"]
    lines = []
    if mine:
        names = ", ".join(one.field for one in mine)
        lines.append(f"From this shell: {names}. `naysayer schedule --keep` stores them, so that all commands agree.")
    if secrets:
        names = ", ".join(f"{PREFIX}{field.upper()}" for field in secrets)
        lines.append(f"Secrets are left out: {names}. Put them into {Path.cwd() / '.env'}.")
    return "".join(f"\n# {line}" for line in lines)


def _unit(text: str) -> str:
    """Text inside a systemd unit: `%` begins a specifier there, and quotes and backslashes end a value."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
