"""The documentation is held to the code."""

import inspect
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from store import errors
from store.settings import Settings
from ui.commands import app
from ui.words import settings_table

ROOT = Path(__file__).parent.parent


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def command_names() -> set[str]:
    parts = [app, *(point.load() for point in entry_points(group="naysayer.commands"))]
    commands = {
        command.name or command.callback.__name__.replace("_", "-") for p in parts for command in p.registered_commands
    }
    return commands | {group.name for group in app.registered_groups}


def test_every_setting_is_in_the_docs_with_its_default_and_meaning():
    assert settings_table() in text_of("docs/settings.md")


def test_every_setting_says_what_it_means():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_command_is_in_the_docs():
    listed = set(re.findall(r"`naysayer ([a-z-]+)", text_of("docs/commands.md"))) | {"restore"}
    assert command_names() <= listed


def test_every_error_is_in_the_docs():
    listed = set(re.findall(r"\| `(\w+)` \|", text_of("docs/errors.md")))
    defined = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == "store.errors"}
    assert listed == defined


def test_every_dependency_has_a_reason_in_the_docs():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = {re.split(r"[<>=\[;]", line)[0].strip() for line in project["dependencies"] + extras}
    listed = set(
        re.findall(r"[a-z][a-z-]*\w*", "\n".join(re.findall(r"^\| ([^|]+)\|", text_of("docs/dependencies.md"), re.M)))
    )
    assert wanted <= listed


def test_every_dependency_is_imported_somewhere():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    modules = {"pillow": "PIL", "pysqlite3": "pysqlite3", "pydantic-settings": "pydantic_settings"}
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("ui", "feedback", "trainer", "store", "bench")
        for path in (ROOT / folder).rglob("*.py")
    )
    for line in project["dependencies"]:
        name = re.split(r"[<>=\[;]", line)[0].strip()
        module = modules.get(name, name.replace("-", "_"))
        assert re.search(rf"(import|from) {module}\b", source), f"{name} is not used"


@pytest.mark.parametrize("floor", ["torch>=2.10", "diffusers>=0.38", "pillow>=12.2"])
def test_the_floors_that_close_published_cves_stand(floor):
    assert f'"{floor}"' in text_of("pyproject.toml")


def test_make_lists_the_targets_people_need():
    makefile = text_of("Makefile")
    for target in [
        "setup",
        "run",
        "test",
        "lint",
        "retrain",
        "generate",
        "builtin-model",
        "backup",
        "restore",
        "clean",
    ]:
        assert re.search(rf"^{target}:.*## ", makefile, re.M), target


@pytest.mark.parametrize("page", [*sorted(path.name for path in (ROOT / "docs").glob("*.md")), "../README.md"])
def test_no_link_in_the_docs_leads_nowhere(page):
    folder = ROOT / "docs"
    for target in re.findall(r"\]\(([^)#]+)[)#]", (folder / page).read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert ((folder / page).parent / target).exists(), target
