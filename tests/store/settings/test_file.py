import os

import pytest

from store.errors import BadRequest
from store.process import run_command
from store.settings.file import field_of, forget, keep, origins, read_data_dir, read_settings
from store.settings.sources import SETTINGS_FILE


def places() -> dict[str, str]:
    return {origin.field: origin.place for origin in origins(read_settings()) if origin.place != "default"}


def test_what_is_kept_holds_for_every_process_on_the_store():
    keep(read_data_dir(), "NAYSAYER_RETRAIN_AFTER", "7")
    assert read_settings().retrain_after == 7
    assert places() == {"retrain_after": SETTINGS_FILE}


def test_env_wins_over_dotenv_over_the_file_over_the_default(shell, tmp_path):
    keep(read_data_dir(), "port", "9001")
    assert read_settings().port == 9001
    (tmp_path / ".env").write_text("NAYSAYER_PORT=9002\n")
    assert read_settings().port == 9002
    assert places() == {"port": ".env"}
    shell.setenv("NAYSAYER_PORT", "9003")
    assert read_settings().port == 9003
    assert places() == {"port": "environment"}


def test_the_file_lies_in_the_data_folder_that_the_environment_names(shell, tmp_path):
    shell.setenv("NAYSAYER_DATA_DIR", str(tmp_path / "elsewhere"))
    keep(read_data_dir(), "overlap", "3")
    assert (tmp_path / "elsewhere" / SETTINGS_FILE).read_text() == "overlap = 3\n"
    assert read_settings().overlap == 3
    shell.delenv("NAYSAYER_DATA_DIR")
    assert read_settings().overlap == 1


def test_comments_and_other_settings_of_the_file_stay(tmp_path):
    keep(read_data_dir(), "overlap", "3")
    path = tmp_path / "data" / SETTINGS_FILE
    path.write_text("# two raters, by the book\noverlap = 2\n")
    keep(read_data_dir(), "lora_rank", "8")
    assert path.read_text() == "# two raters, by the book\noverlap = 2\nlora_rank = 8\n"
    forget(read_data_dir(), "overlap")
    assert read_settings().overlap == 1
    assert read_settings().lora_rank == 8


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("retrain_aftr", "7", "did you mean NAYSAYER_RETRAIN_AFTER"),
        ("overlap", "many", "NAYSAYER_OVERLAP cannot be used"),
        ("overlap", "0", "a whole number from 1 to 1000 "),
        ("width_px", "100", r"a whole number from 8 to 8192, a multiple of 8 \(found '100'\)"),
        ("lease_s", "inf", "NAYSAYER_LEASE_S"),
        ("seed", str(2**32), "NAYSAYER_SEED"),
        ("device", "gpu", "it should be auto, cpu, mps, cuda or cuda:N"),
        ("host", "my-machine", "NAYSAYER_HOST cannot be used"),
        ("model", "~nobody-here/sdxl", "no such home folder"),
        ("host", "0.0.0.0", "anybody could vote under any name"),
        ("model", "$HOME/sdxl", "no shell has filled in"),
        ("data_dir", "other", "cannot be kept in the data folder"),
        ("secret", "x" * 40, "cannot be kept in the data folder"),
        ("webhook_secret", "y" * 40, "cannot be kept in the data folder"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(name, value, sentence, tmp_path):
    with pytest.raises(BadRequest, match=sentence):
        keep(read_data_dir(), name, value)
    assert not (tmp_path / "data").exists()


def test_an_unknown_name_is_refused_wherever_it_stands(shell, tmp_path):
    shell.setenv("NAYSAYER_RETRAIN_AFTR", "7")
    with pytest.raises(BadRequest, match=r"NAYSAYER_RETRAIN_AFTR in the environment .* NAYSAYER_RETRAIN_AFTER"):
        read_settings()
    shell.delenv("NAYSAYER_RETRAIN_AFTR")
    (tmp_path / ".env").write_text("NAYSAYER_OVRLAP=7\n")
    with pytest.raises(BadRequest, match=r"NAYSAYER_OVRLAP in \.env"):
        read_settings()
    (tmp_path / ".env").unlink()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text("ovrlap = 7\n")
    with pytest.raises(BadRequest, match=r"ovrlap in .*naysayer\.toml is not a setting"):
        read_settings()


@pytest.mark.parametrize("name", ["NAYSAYER_REALDATA", "NAYSAYER_CHROMIUM", "NAYSAYER_TEST_POSTGRES_URL"])
def test_names_that_only_tests_read_are_allowed(shell, name):
    shell.setenv(name, "/somewhere")
    assert read_settings().overlap == 1


def test_foreign_lines_of_dotenv_are_ignored(tmp_path, capfd, caplog):
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=hunter2\nfoo bar\nNAYSAYER_OVERLAP=2\n")
    assert read_settings().overlap == 2
    assert capfd.readouterr().err == "" == caplog.text


def test_no_message_shows_the_value_of_a_secret(shell):
    shell.setenv("NAYSAYER_WEBHOOK_SECRET", "hunter2-hunter2")
    with pytest.raises(BadRequest, match="NAYSAYER_WEBHOOK_SECRET in the environment cannot be used") as refused:
        read_settings()
    assert "hunter2" not in str(refused.value)
    shell.setenv("NAYSAYER_WEBHOOK_SECRET", "hunter2" * 6)
    shown = [origin.words for origin in origins(read_settings())]
    assert not any("hunter2" in words for words in shown)
    assert "hunter2" not in repr(read_settings())


def test_an_empty_value_means_the_default(shell, tmp_path):
    shell.setenv("NAYSAYER_STRENGTH", "")
    shell.setenv("NAYSAYER_DATA_DIR", "")
    (tmp_path / ".env").write_text("NAYSAYER_LORA_LAYERS=\n")
    found = read_settings()
    assert (found.strength, found.lora_layers, str(found.data_dir)) == (None, None, "data")
    keep(found.data_dir, "retrain_after", "9")
    keep(found.data_dir, "retrain_after", "")
    assert read_settings().retrain_after is None


def test_the_home_folder_is_meant_by_its_sign(shell, tmp_path):
    shell.setenv("HOME", str(tmp_path / "home"))
    shell.setenv("NAYSAYER_DATA_DIR", "~/naysayer")
    shell.setenv("NAYSAYER_MODEL", "~/sdxl")
    found = read_settings()
    assert found.data_dir == tmp_path / "home" / "naysayer"
    assert found.model == str(tmp_path / "home" / "sdxl")


def test_a_relative_path_is_kept_as_an_absolute_one(tmp_path):
    (tmp_path / "sdxl").mkdir()
    keep(read_data_dir(), "model", "sdxl")
    assert read_settings().model == str(tmp_path / "sdxl")
    keep(read_data_dir(), "model", "stabilityai/stable-diffusion-xl-base-1.0")
    assert read_settings().model == "stabilityai/stable-diffusion-xl-base-1.0"


def test_a_file_that_is_no_toml_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text("overlap: 2\n")
    with pytest.raises(BadRequest, match=r"naysayer\.toml cannot be read as TOML"):
        read_settings()


def test_a_secret_in_the_file_is_refused_without_its_value(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text('secret = "hunter2"\n')
    with pytest.raises(BadRequest, match="secret cannot be kept in") as refused:
        read_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["retrain_after", "RETRAIN-AFTER", "NAYSAYER_RETRAIN_AFTER", " naysayer_retrain_after "]
)
def test_a_setting_may_be_named_in_any_spelling(name):
    assert field_of(name) == "retrain_after"


def test_a_setting_that_others_need_is_not_taken_out(shell, tmp_path):
    shell.setenv("NAYSAYER_SECRET", "s3cretA9" * 5)
    for name, value in [("public_url", "https://a.example"), ("sign_in", "invitations"), ("host", "0.0.0.0")]:
        keep(read_data_dir(), name, value)
    with pytest.raises(BadRequest, match="nothing was changed"):
        forget(read_data_dir(), "sign_in")
    with pytest.raises(BadRequest, match="nothing was changed"):
        keep(read_data_dir(), "sign_in", "")
    assert read_settings().sign_in == "invitations"
    forget(read_data_dir(), "host")
    forget(read_data_dir(), "sign_in")
    assert read_settings().sign_in == "name"


def test_a_value_that_cannot_be_used_is_named_with_its_place(shell, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text('port = "many"\n')
    with pytest.raises(BadRequest, match=r"NAYSAYER_PORT in naysayer\.toml in the data folder cannot be used"):
        read_settings()
    (tmp_path / ".env").write_text("NAYSAYER_PORT=more\n")
    with pytest.raises(BadRequest, match=r"NAYSAYER_PORT in \.env cannot be used"):
        read_settings()


def test_a_dotenv_that_is_no_text_is_refused_in_a_sentence(tmp_path):
    (tmp_path / ".env").write_bytes(b"NAYSAYER_ADMINS=\xff\n")
    with pytest.raises(BadRequest, match="not UTF-8"):
        read_settings()


def test_the_home_of_nobody_is_refused_in_a_sentence(shell):
    shell.setenv("NAYSAYER_DATA_DIR", "~nobody-here/store")
    with pytest.raises(BadRequest, match="NAYSAYER_DATA_DIR in the environment cannot be used: it begins with ~"):
        read_settings()


def test_the_built_in_model_is_meant_even_beside_a_folder_of_that_name(tmp_path):
    (tmp_path / "builtin").mkdir()
    keep(read_data_dir(), "model", "builtin")
    assert read_settings().is_builtin


@pytest.mark.parametrize(
    "name",
    ["NAYSAYR_PORT", "NAYSAYERS_PORT", "NASAYER_PORT", "NAYSAYERPORT", "NAYSAYER__PORT", "naysayer_prt"],
)
def test_a_misspelt_name_is_refused_with_the_nearest_name(shell, name):
    shell.setenv(name, "1")
    with pytest.raises(BadRequest, match=f"{name} in the environment is not a setting"):
        read_settings()


@pytest.mark.parametrize("name", ["NAYSAYER_XYZ", "NAYSAYER_SERVICE_HOST", "NAYSAYER_PORT_8501_TCP"])
def test_a_name_that_is_like_no_setting_is_told_once_and_changes_nothing(shell, name, capsys):
    shell.setenv(name, "tcp://10.0.0.1:8501")
    run_command(read_settings)
    assert (
        capsys.readouterr().err
        == f"naysayer: {name} in the environment is not a setting; `naysayer settings` lists them all\n"
    )


def test_a_misspelt_name_is_told_once_by_every_command_and_ends_those_that_read_settings(shell, capsys):
    shell.setenv("NAYSAYER_OVRLAP", "2")
    said = "naysayer: NAYSAYER_OVRLAP in the environment is not a setting; did you mean NAYSAYER_OVERLAP?\n"
    run_command(lambda: None)
    assert capsys.readouterr().err == said
    with pytest.raises(SystemExit, match="1"):
        run_command(read_settings)
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("text", ["overlap = 'many'\nport = 'none'\n", "overlap = [2]\nport = -1\n"])
def test_values_that_were_edited_by_hand_can_be_repaired_one_by_one(tmp_path, text):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / SETTINGS_FILE
    path.write_text(text)
    with pytest.raises(BadRequest):
        read_settings()
    keep(read_data_dir(), "overlap", "2")
    with pytest.raises(BadRequest, match="PORT"):
        read_settings()
    forget(read_data_dir(), "port")
    assert (read_settings().overlap, read_settings().port) == (2, 8501)
    assert path.read_text() == "overlap = 2\n"


@pytest.mark.parametrize("name", ["ovrlap", "secret", "data_dir", "-1"])
def test_a_name_that_the_file_cannot_hold_can_be_taken_out(tmp_path, name):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / SETTINGS_FILE
    path.write_text(f'{name} = "x"\n')
    with pytest.raises(BadRequest, match=f"naysayer unset {name}"):
        read_settings()
    forget(read_data_dir(), name)
    assert read_settings().overlap == 1


def test_a_fault_that_is_new_is_refused_beside_an_old_one(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text("port = 0\n")
    with pytest.raises(BadRequest, match=r"OVERLAP .* nothing was changed"):
        keep(read_data_dir(), "overlap", "0")


def test_a_line_of_ours_in_dotenv_that_is_none_is_named(tmp_path):
    (tmp_path / ".env").write_text("FOREIGN {\nNAYSAYER_SECRET hunter2\n")
    with pytest.raises(BadRequest, match=r"line 2 of \.env is not NAME=value") as refused:
        read_settings()
    assert "hunter2" not in str(refused.value)


def test_files_with_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfNAYSAYER_PORT=9001\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_bytes(b"\xef\xbb\xbfoverlap = 2\n")
    assert (read_settings().port, read_settings().overlap) == (9001, 2)
    keep(read_data_dir(), "overlap", "3")
    assert read_settings().overlap == 3


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb"])
def test_a_data_folder_whose_path_is_no_text_is_refused_in_words(shell, tmp_path, name):
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    shell.chdir(folder)
    with pytest.raises(BadRequest, match="not UTF-8 text or holds a control character; rename"):
        read_settings()
