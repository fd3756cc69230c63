"""Cron line and systemd units that call `naysayer retrain` when due and do what this shell does."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from store.errors import BadRequest
from store.settings import PREFIX, Settings
from store.settings.checks import without_password
from store.settings.file import Origin, keep, origins
from store.settings.serving import OF_THE_PAGES
from store.settings.sources import SECRETS, SETTINGS_FILE, read_file

LONGEST = 998
"""Characters of a line that every cron takes; Debian's drops a longer one."""
OF_OTHERS = (
    *("PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "TMPDIR"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "XDG_CACHE_HOME", "SSL_CERT_FILE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Variables of the libraries that decide what a retrain finds: models, devices, the way to the hub."""
SECRETS_OF_OTHERS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def schedule_words(settings: Settings) -> str:
    """Both ways to have retrains started, ready to paste. Exit codes: 0 done or not due, 1 failed, 75 one runs.

    Raises BadRequest when a scheduled retrain could not do what this shell does.
    """
    program, folder, data = _program(), Path.cwd(), settings.data_dir.resolve()
    mine = of_this_shell(settings)
    _refuse_lost_store(settings)
    variables = _variables(settings, mine)
    for text in (*program, str(folder), str(data), *variables.values()):
        if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
            raise BadRequest(f"{text!r} cannot be written into a crontab or a unit; give it another name")
    return f"""# cron: `crontab -e`, then this line. When nothing is due it takes a second and prints one line.
{cron_line(program, folder, data, variables)}

# systemd: two files, then `systemctl --user enable --now naysayer-retrain.timer`.
# ~/.config/systemd/user/naysayer-retrain.service
[Unit]
Description=Naysayer: retrain when enough new rejects have come

[Service]
Type=oneshot
WorkingDirectory={str(folder).replace("%", "%%")}
{chr(10).join(f"Environment={_unit(f'{name}={value}')}" for name, value in variables.items())}
ExecStart={" ".join(_unit(word).replace("$", "$$") for word in program)} retrain --json
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


def cron_line(program: Sequence[str], folder: Path, data: Path, variables: dict[str, str]) -> str:
    r"""The line of a crontab. Cron ends a command at a `%` without a backslash.

    Raises BadRequest when cron would read it in another way than the shell.

    >>> cron_line(["naysayer"], Path("/srv"), Path("/srv/50%"), {"NAYSAYER_DATA_DIR": "/srv/50%"})
    '* * * * * cd /srv && NAYSAYER_DATA_DIR=/srv/50\\% naysayer retrain --json >> /srv/50\\%/cron.log 2>&1'
    """
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    log = shlex.quote(str(data / "cron.log"))
    command = f"cd {shlex.quote(str(folder))} && {settings} {shlex.join(program)} retrain --json >> {log} 2>&1"
    line = "* * * * * " + command.replace("%", r"\%")
    if re.search(r"\\[\\%]", command):
        raise BadRequest(
            "a value holds a backslash before another or before %, which crons read in different ways; "
            "store this shell's settings with `naysayer schedule --keep`"
        )
    if len(line) > LONGEST:
        raise BadRequest(
            f"the line has {len(line)} characters and some crons take no more than {LONGEST}; "
            "store this shell's settings with `naysayer schedule --keep`"
        )
    return line


def of_this_shell(settings: Settings) -> list[Origin]:
    """The settings that only this shell's environment holds; without secrets and the data folder."""
    kept = read_file(settings.data_dir / SETTINGS_FILE, Settings.model_fields)
    return [
        one
        for one in origins(settings)
        if one.place == "environment"
        and not one.is_secret
        and one.field != "data_dir"
        and kept.get(one.field) != one.value
    ]


def keep_this_shells(settings: Settings) -> list[str]:
    """Writes the settings of this shell into the data folder; returns their names."""
    kept = of_this_shell(settings)
    for one in kept:
        keep(settings.data_dir, one.field, one.text)
    return [one.field for one in kept]


def _program() -> list[str]:
    """How `naysayer` is called without a shell's PATH."""
    script = Path(sys.executable).with_name("naysayer")
    return [str(script)] if script.exists() else [sys.executable, "-m", "ui.commands"]


def _variables(settings: Settings, mine: Sequence[Origin]) -> dict[str, str]:
    """What the line sets. Sign-in is the pages' business: without it a retrain needs none of their secrets."""
    found = {"data_dir": str(settings.data_dir.resolve())}
    found |= {one.field: one.text for one in mine if one.field not in OF_THE_PAGES}
    if _only_here(settings, ("secret", "oidc_client_secret")):
        found |= {"sign_in": "name", "host": "127.0.0.1"}
    others = {name: os.environ[name] for name in OF_OTHERS if os.environ.get(name)}
    ours = {f"{PREFIX}{field.upper()}": value for field, value in found.items()}
    return ours | {name: value for name, value in others.items() if without_password(value) == value}


def _only_here(settings: Settings, fields: Sequence[str]) -> list[str]:
    """Which of these settings hold a secret that only this shell knows."""
    return [
        one.field for one in origins(settings) if one.field in fields and one.is_secret and one.place == "environment"
    ]


def _refuse_lost_store(settings: Settings) -> None:
    if _only_here(settings, ("store_url",)):
        raise BadRequest(
            f"{PREFIX}STORE_URL holds a password, so it is not printed, and without it a scheduled retrain would open "
            f"another store; put it into {Path.cwd() / '.env'}, readable only by you, and unset it here"
        )


def _advice(settings: Settings, mine: Sequence[Origin]) -> str:
    """What a scheduled retrain would not see, and how to change that."""
    secrets = [f"{PREFIX}{field.upper()}" for field in _only_here(settings, SECRETS)]
    secrets += [name for name in SECRETS_OF_OTHERS if os.environ.get(name)]
    secrets += [name for name in OF_OTHERS if without_password(os.environ.get(name, "")) != os.environ.get(name, "")]
    lines = []
    if mine:
        names = ", ".join(one.field for one in mine)
        lines.append(f"From this shell: {names}. `naysayer schedule --keep` stores them, so that all commands agree.")
    if secrets:
        ours = [name for name in secrets if name.startswith(PREFIX)]
        lines.append(f"Secrets are left out: {', '.join(secrets)}.")
        if ours:
            lines.append(f"Put {', '.join(ours)} into {Path.cwd() / '.env'}, readable only by you.")
    return "".join(f"\n# {line}" for line in lines)


def _unit(text: str) -> str:
    """One word of a systemd unit: `%` begins a specifier there, and quotes and backslashes end a value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
