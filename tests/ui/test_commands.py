"""The command line of versions, evaluation sets and counters."""

import os
import socket
from importlib.metadata import version

from typer.testing import CliRunner

from ui.commands import app, whole_app


def test_the_command_line_withdraws_refuses_and_lists(settings, engine, publish_version, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(settings.data_dir))
    publish_version(engine, 1)
    run = CliRunner()
    refused = run.invoke(app, ["promote", "1", "--reason", "why not"])
    assert "is missing" in str(refused.exception)
    forced = run.invoke(app, ["promote", "1", "--force", "--reason", "a test"])
    assert forced.output == "v1 is champion now\n"
    assert run.invoke(app, ["withdraw", "1"]).exit_code == 2
    assert run.invoke(app, ["withdraw", "1", "--reason", "bad"]).output == "v1 is withdrawn, v0 is champion\n"
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("prompt\tseed\na red star\t3\n")
    assert "1 pair over 1 prompt" in run.invoke(app, ["evaluation", "import", str(pairs)]).output
    assert "set 1 (pairs)" in run.invoke(app, ["evaluation", "list"]).output
    assert "made again" in run.invoke(app, ["recount"]).output


def test_the_version_and_the_place_of_the_pages_are_options(monkeypatch, tmp_path) -> None:
    for name in ("NAYSAYER_PORT", "NAYSAYER_DATA_DIR"):
        monkeypatch.setenv(name, "")
    run = CliRunner()
    assert run.invoke(whole_app(), ["--version"]).output == f"naysayer {version('naysayer')}\n"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("run", "pages"):
            options = [command, "--port", str(port), "--data-dir", str(tmp_path / "there")]
            assert f"port {port} is taken" in str(run.invoke(whole_app(), options).exception)
            assert os.environ["NAYSAYER_DATA_DIR"] == str(tmp_path / "there")
    assert run.invoke(whole_app(), ["run", "--port", "0"]).exit_code == 2


def test_an_invitation_link_can_be_opened_on_ipv6_and_at_the_public_address(settings, engine, monkeypatch) -> None:
    monkeypatch.setenv("NAYSAYER_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("NAYSAYER_SECRET", "s3cretA9" * 5)
    monkeypatch.setenv("NAYSAYER_HOST", "::1")
    assert CliRunner().invoke(app, ["invite", "Ann"]).output.startswith("http://[::1]:8501/naysayer/invited/")
    monkeypatch.setenv("NAYSAYER_PUBLIC_URL", "https://rate.example.org/")
    link = CliRunner().invoke(app, ["invite", "Bo"]).output
    assert link.startswith("https://rate.example.org/naysayer/invited/")


def test_a_link_that_nobody_can_open_is_called_that(settings, engine, monkeypatch) -> None:
    for name, value in {"SECRET": "x" * 40, "PUBLIC_URL": "https://rate.example.org"}.items():
        monkeypatch.setenv(f"NAYSAYER_{name}", value)
    warning = "nobody can open this link while NAYSAYER_SIGN_IN is name"
    assert warning in CliRunner().invoke(app, ["invite", "Ann"]).stderr
    monkeypatch.setenv("NAYSAYER_SIGN_IN", "invitations")
    assert warning not in CliRunner().invoke(app, ["invite", "Ann"]).stderr
