"""Every command is given every bad thing: it must answer with one sentence and an exit code, never with a traceback."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from store.process import run_command
from store.settings import Settings
from tests.ui.every import APP, ON_A_STORE, SECRET, SERVERS, check

HUGE = str(10**40)


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


Fault = Callable[[pytest.MonkeyPatch, Path], object]


def variable(name: str, value: str) -> Fault:
    return lambda shell, _folder: shell.setenv(f"NAYSAYER_{name}", value)


def file(name: str, data: bytes) -> Fault:
    return lambda _shell, folder: put(folder / name, data)


def of_settings() -> dict[str, Fault]:
    """Settings that cannot be used; every command but `set` and `unset` reads them first."""
    return {
        "unknown name": variable("OVRLAP", "1"),
        "database zzz": variable("STORE_URL", "zzz"),
        "database of another kind": variable("STORE_URL", f"mysql://ada:{SECRET}@h/db"),
        "database with a bad port": variable("STORE_URL", f"postgresql://ada:{SECRET}@h:99x/db"),
        "endless lease": variable("LEASE_S", "inf"),
        "huge overlap": variable("OVERLAP", HUGE),
        "short secret": variable("WEBHOOK_SECRET", SECRET),
        "folder of nobody": variable("DATA_DIR", "~nobody-here/x"),
        "folder with a dollar": variable("DATA_DIR", "$HOME/x"),
        "folder that is no text": variable("DATA_DIR", "x\udcff"),
        ".env that is no text": file(".env", b"NAYSAYER_ADMINS=\xff\xfe"),
        ".env with NUL": file(".env", b"NAYSAYER_MODEL=" + SECRET.encode() + b"\x00\n"),
        ".env with a line that is none": file(".env", b"NAYSAYER_SECRET hunter2\n"),
        "naysayer.toml that is no TOML": file("data/naysayer.toml", b"overlap: 2\n"),
        "naysayer.toml that is no text": file("data/naysayer.toml", b"\x00\xff\xfe"),
        "naysayer.toml with a secret": file("data/naysayer.toml", f'secret = "{SECRET}"\n'.encode()),
        "naysayer.toml with a table": file("data/naysayer.toml", b"[overlap]\na = 1\n"),
    }


def of_the_store() -> dict[str, Fault]:
    """Settings that are right, and a place that is not."""
    return {
        "a file as data folder": file("data", b""),
        "a data folder inside a file": variable("DATA_DIR", "/dev/null/data"),
        "a data folder nobody can make": variable("DATA_DIR", "/proc/data"),
        "a data folder with a long name": variable("DATA_DIR", "x" * 300),
        "a database that is none": file("data/naysayer.db", b"\x00\xff" * 5000),
        "a folder as database": file("data/naysayer.db/x", b""),
        "a database inside a file": variable("STORE_URL", "sqlite:////dev/null/x.db"),
        "a folder as the named database": variable("STORE_URL", "sqlite:////proc"),
        "a server that does not answer": variable("STORE_URL", f"postgresql://ada:{SECRET}@127.0.0.1:1/x"),
        "a server without a socket": variable("STORE_URL", "postgresql://ada@/x?host=/nowhere"),
    }


FILES: dict[str, Callable[[Path], str]] = {
    "missing": lambda folder: "missing",
    "folder": lambda folder: str(folder),
    "empty": lambda folder: str(put(folder / "empty.tsv", b"")),
    "binary": lambda folder: str(put(folder / "b.jsonl", bytes(range(256)) * 40)),
    "NUL": lambda folder: str(put(folder / "nul.txt", b"a\x00b\n")),
    "not UTF-8": lambda folder: str(put(folder / "latin.csv", "prompt,seed\nfür,1\n".encode("latin-1"))),
    "huge number": lambda folder: str(put(folder / "huge.tsv", f"prompt\tseed\na star\t{HUGE}\n".encode())),
    "deep JSON": lambda folder: str(put(folder / "deep.jsonl", b"[" * 100_000 + b"\n")),
    "device": lambda folder: "/dev/null",
    "inside a file": lambda folder: "/dev/null/x",
    "long name": lambda folder: "x" * 300,
    "name that is no text": lambda folder: os.fsdecode(bytes(put(folder / os.fsdecode(b"\xff.txt"), b"\xff"))),
    "dangling link": lambda folder: str((folder / "link").symlink_to(folder / "gone") or folder / "link"),
    "without permission": lambda folder: "/proc/1/mem",
}
TAKE_A_FILE = {
    name: words
    for name, words in {
        "prompts import": "{}",
        "evaluation import": "{}",
        "import lora": "{}",
        "import votes": "{}",
        "import pictures": "{}",
        "restore": "{}",
        "backup": "{}",
        "export lora": "1 --out {}",
        "export data": "{}",
        "move": "--to sqlite:///{}",
        "merge": "{}",
        "bench ratings": "{}",
    }.items()
}
TAKE_A_NUMBER = (
    "promote {}",
    "withdraw {} --reason x",
    "export lora {}",
    "export data out --version {}",
    "controls add {} reject",
    "controls retire {}",
    "controls agreed --count {}",
    "controls draw --seed {} --count 2",
    "invite Ann --days {}",
    "token revoke {}",
    "prompts remove --import {}",
)
TAKE_TEXT = (
    "prompts add {}",
    "prompts remove {}",
    "prompts pause --source {}",
    "invite {}",
    "invite Ann --role {}",
    "invite --revoke {}",
    "token make {}",
    "token make Ann --role {}",
    "promote 1 --force --reason {}",
    "withdraw 1 --reason {}",
    "stop --reason {}",
    "rollback --reason {}",
    "evaluation new --pairs 1 --name {}",
    "set {} 1",
    "set negative_prompt {}",
    "set store_url {}",
    "move --to {}",
    "merge . --store-url {}",
    "unset {}",
    "controls add 1 {}",
    "export lora 1 --format {}",
    "export data out --prompt {}",
    "export data out --rater {}",
    "export data out --reason {}",
    "export data out --hub {}",
    "export data out --which {}",
    "export data out --since {}",
    "import lora x.safetensors --negative-prompt {}",
    "import votes x.jsonl --rater {}",
    "import pictures . --model {}",
    "import pictures . --dry-run --mapping {}",
)
TEXTS = {
    "empty": "",
    "no text": "a\udcff",
    "control": "a\x1b[31mb",
    "lines": "a\nb",
    "long": "x" * 100_000,
    "quotes": "'; DROP TABLE vote; --",
    "option": "--nonsense",
}


def leaves(group, prefix: tuple[str, ...] = ()):
    for name, command in group.commands.items():
        words = (*prefix, name)
        yield from leaves(command, words) if hasattr(command, "commands") else [" ".join(words)]


def call(words: list[str], capfd) -> str:
    """What a command says; it must end well, or with one sentence."""
    code: object = 0
    try:
        run_command(lambda: APP.main(words, prog_name="naysayer"))
    except SystemExit as ended:
        code = ended.code or 0
    said = capfd.readouterr()
    check(words, code, said.out, said.err)
    return said.err


@pytest.fixture
def store(shell, tmp_path, empty_store):
    """An empty store in the data folder."""
    put(tmp_path / "data" / "naysayer.db", empty_store.read_bytes())


def test_every_command_is_in_the_list():
    known = set(leaves(APP))
    assert {name for name in known if not name.startswith("bench ")} - {"builtin-model"} == set(ON_A_STORE)


@pytest.mark.parametrize("fault", of_settings())
def test_a_setting_that_cannot_be_used_is_one_sentence_of_every_command(shell, tmp_path, capfd, fault):
    of_settings()[fault](shell, tmp_path)
    for command, more in ON_A_STORE.items():
        if command not in ("set", "unset"):
            assert "naysayer: " in call([*command.split(), *more.split()], capfd)
    for command in ("set", "unset"):  # they may mend the file that holds the fault
        call([*command.split(), *ON_A_STORE[command].split()], capfd)


@pytest.mark.parametrize("fault", of_the_store())
def test_a_store_that_cannot_be_used_is_one_sentence_of_every_command(shell, tmp_path, capfd, fault):
    of_the_store()[fault](shell, tmp_path)
    for command, more in ON_A_STORE.items():
        if command not in SERVERS:
            call([*command.split(), *more.split()], capfd)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (lambda folder: put(folder / "data", b""), "data is a file"),
        (lambda folder: (folder / "data").symlink_to(folder / "gone"), "data is a link that leads nowhere"),
    ],
)
@pytest.mark.parametrize(
    "words",
    ["status", "versions", "run", "retrain", "generate --once", "prompts add x", "prompts list", "export data out"],
)
def test_what_stands_in_the_place_of_the_data_folder_is_named(shell, tmp_path, capfd, words, fault, found):
    fault(tmp_path)
    said = call(words.split(), capfd)
    assert f"{found}, and the data folder (NAYSAYER_DATA_DIR) is needed there; name another folder" in said


def test_a_store_that_has_not_begun_is_not_only_zeros(shell, tmp_path, capfd):
    run_command(lambda: APP.main(["status"], prog_name="naysayer", standalone_mode=False))
    said = capfd.readouterr().out
    assert f"there is no store at {tmp_path}/data/naysayer.db yet; `naysayer run` begins one" in said
    assert "0 pictures to rate" in said
    assert not (tmp_path / "data").exists()


def test_a_list_that_is_not_there_is_not_blamed_for_its_name(store, capfd):
    for command in ("prompts import", "evaluation import", "import votes"):
        assert "there is no file missing; check its name and folder" in call([*command.split(), "missing"], capfd)


@pytest.mark.slow
@pytest.mark.parametrize("fault", of_the_store())
@pytest.mark.parametrize("command", SERVERS)
def test_a_store_that_cannot_be_used_is_one_sentence_of_those_that_serve(
    shell, tmp_path, capfd, exit_code_of, command, fault
):
    of_the_store()[fault](shell, tmp_path)
    code = exit_code_of(run_command, lambda: APP.main([command], prog_name="naysayer"))
    said = capfd.readouterr()
    check([command], code, said.out, said.err)
    assert code == 1


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("command", TAKE_A_FILE)
def test_a_file_that_cannot_be_used_is_one_sentence(store, tmp_path, capfd, command, kind):
    path = FILES[kind](tmp_path)
    call([*command.split(), *(word.replace("{}", path) for word in TAKE_A_FILE[command].split())], capfd)


@pytest.mark.slow
@pytest.mark.parametrize("number", [HUGE, f"-{HUGE}", "0", "-1", "1e400", "nan", "x"])
@pytest.mark.parametrize("command", TAKE_A_NUMBER)
def test_a_number_that_cannot_be_used_is_one_sentence(store, capfd, command, number):
    call(command.replace("{}", number).split(), capfd)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("command", TAKE_TEXT)
def test_a_text_that_cannot_be_used_is_one_sentence(store, capfd, command, kind):
    call([word.replace("{}", TEXTS[kind]) for word in command.split()], capfd)


def test_the_settings_of_the_test_are_those_of_the_program():
    assert {"overlap", "negative_prompt", "store_url"} <= set(Settings.model_fields)
