"""Every command with arguments that are right in themselves, and what each must never answer."""

import typer

from ui.commands import whole_app

APP = typer.main.get_command(whole_app())
SECRET = "hunter2"
SERVERS = ("run", "pages")
ON_A_STORE = {
    "run": "",
    "pages": "",
    "versions": "",
    "status": "",
    "settings": "",
    "set": "overlap 2",
    "unset": "overlap",
    "promote": "1",
    "propose": "1 --strength 2 --reason softer",
    "rollback": "",
    "withdraw": "1 --reason bad",
    "stop": "",
    "recount": "",
    "schedule": "",
    "backup": "out.tar",
    "restore": "in.tar",
    "move": "--to sqlite:///other.db",
    "merge": "other",
    "sweep": "",
    "invite": "Ann",
    "token make": "Ann",
    "token list": "",
    "token revoke": "1",
    "simulate": "--raters 1 --votes 1",
    "generate": "--once",
    "draw": "text",
    "sort": "in",
    "retrain": "",
    "doctor": "",
    "prompts add": "text",
    "prompts import": "in.txt",
    "prompts list": "",
    "prompts imports": "",
    "prompts remove": "text",
    "prompts pause": "text",
    "prompts restore": "text",
    "prompts weigh": "2 text",
    "count-tokens": "",
    "export lora": "1",
    "export data": "out",
    "evaluation import": "in.tsv",
    "evaluation new": "--pairs 2",
    "evaluation list": "",
    "evaluation use": "1",
    "import lora": "in.safetensors",
    "import votes": "in.jsonl",
    "import pictures": "in",
    "controls draw": "--count 2",
    "controls agreed": "",
    "controls add": "1 reject",
    "controls retire": "1",
    "controls reuse": "1",
    "controls list": "",
}
"""Each command with arguments that are right in themselves. The benches and `builtin-model` read no settings."""


def check(words: list[str], code: object, out: str, err: str) -> None:
    assert code in (0, 1, 2, 75), (words, code, err)
    assert "Traceback" not in out + err, err
    assert "unforeseen" not in out + err, err
    assert SECRET not in out + err, (words, err)
    if code in (1, 75) and words[0] != "doctor":
        last = err.splitlines()[-1]
        assert last.startswith("naysayer: "), err
        assert "[Errno" not in last or "import" in words, last
    if code == 2:
        assert "Usage: naysayer" in err
