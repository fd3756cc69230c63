"""The documentation is held to the code."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from feedback.gate.gate import rule_words
from store.settings import Settings

ROOT = Path(__file__).parent.parent
WORDS_A_MINUTE = 238
"""Silent reading of non-fiction in English: Brysbaert 2019."""
PAGES = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("name", list(GENERATE["LISTS"]))
def test_the_reference_matches_the_code(name):
    assert GENERATE["page"](name) == text_of(f"docs/reference/{name}"), "run `make docs`"


@pytest.mark.parametrize("name", list(GENERATE["LISTS"]))
def test_no_entry_of_the_reference_lacks_its_meaning(name):
    rows = re.findall(r"^\|.*\|$", GENERATE["LISTS"][name](), re.M)
    meanings = [row.strip("|").rsplit(" | ", 1)[1].strip() for row in rows if not row.startswith("| ---")]
    assert meanings
    assert all(meanings)


def test_every_setting_says_what_it_means():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_command_says_what_it_does():
    entries = GENERATE["LISTS"]["commands.md"]().split("## ")[1:]
    assert [entry for entry in entries if not entry.split("\n")[2].strip()] == []


def test_every_dependency_has_a_reason_in_the_docs():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = {re.split(r"[<>=\[;]", line)[0].strip() for line in project["dependencies"] + extras}
    listed = set(
        re.findall(
            r"[a-z][a-z-]*\w*", "\n".join(re.findall(r"^\| ([^|]+)\|", text_of("docs/engineer/dependencies.md"), re.M))
        )
    )
    assert wanted <= listed


def test_every_dependency_is_imported_somewhere():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    modules = {
        "markdown-it-py": "markdown_it",
        "pillow": "PIL",
        "pysqlite3": "pysqlite3",
        "pydantic-settings": "pydantic_settings",
        "python-dotenv": "dotenv",
    }
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
        "docs",
        "backup",
        "restore",
        "clean",
    ]:
        assert re.search(rf"^{target}:.*## ", makefile, re.M), target


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in PAGES))
def test_no_link_leads_nowhere(page):
    for target in re.findall(r"\]\(([^)#]+)[)#]", text_of(page)):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target


def test_every_page_of_the_docs_that_the_code_names_exists():
    folders = ("ui", "feedback", "trainer", "store", "bench")
    source = [
        path for folder in folders for ending in ("py", "md", "html") for path in (ROOT / folder).rglob(f"*.{ending}")
    ]
    named = {name for path in source for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_module_that_the_docs_name_exists():
    source = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    named = re.findall(r"`((?:ui|feedback|trainer|store|bench|tests)/[\w/.-]+)`", source)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", ["Rater", "Operator", "Engineer"])
def test_a_path_reads_in_ten_minutes(path):
    [section] = [part for part in text_of("docs/index.md").split("\n## ") if part.startswith(f"{path}\n")]
    pages = re.findall(r"^\d\. \[.*\]\((.*)\)", section, re.M)
    words = [word for page in pages for word in text_of(f"docs/{page}").split() if re.search(r"\w", word)]
    assert 0 < len(words) <= 10 * WORDS_A_MINUTE


def test_the_glossary_is_short_and_its_words_are_in_use():
    words = re.findall(r"^\| ([A-Za-z][A-Za-z -]*) \|", text_of("docs/glossary.md"), re.M)[1:]
    elsewhere = " ".join(path.read_text(encoding="utf-8").lower() for path in PAGES if path.name != "glossary.md")
    assert len(words) <= 25
    assert [word for word in words if word.lower() not in elsewhere] == []


def test_an_experiment_takes_at_most_three_lines_of_the_log():
    entries = re.split(r"\n(?=- )", text_of("docs/measured/log.md").strip())[1:]
    assert entries
    assert [entry for entry in entries if not re.match(r"- \d{4}-\d\d-\d\d · ", entry)] == []
    assert [entry for entry in entries if entry.count("\n") > 2 or max(map(len, entry.split("\n"))) > 145] == []


def test_what_was_not_measured_is_said_in_one_place():
    for page in PAGES:
        text = re.sub(r"\[[^\]]*not measured[^\]]*\]\([^)]*not-measured\.md\)", "", page.read_text(encoding="utf-8"))
        assert page.name in ("not-measured.md", "index.md") or "not measured" not in text, page


def test_the_page_of_the_gate_quotes_the_rule():
    quoted = " ".join(text_of("docs/operator/gate.md").replace("\n> ", " ").split())
    assert rule_words(200) in quoted


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` does with a folder of pages."""
    [line] = re.findall(r"\.venv/bin/sphinx-build (.*) docs build/docs", text_of("Makefile"))
    command = [sys.executable, "-m", "sphinx", *line.split(), str(folder), str(folder / "out")]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def small_site(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "docs" / "site", tmp_path / "site")
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path)
    (tmp_path / "index.md").write_text("# Start\n\n## Rater\n\n[How to rate](rate.md#keys)\n")
    (tmp_path / "rate.md").write_text("# How to rate\n\n## Keys\n\n[Start](index.md)\n")
    return tmp_path


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    done = build(tmp_path / "docs")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_sound_small_site_builds(small_site):
    assert build(small_site).returncode == 0


@pytest.mark.slow
def test_a_dead_link_or_anchor_a_missing_picture_and_an_orphan_page_each_fail_the_site(small_site):
    (small_site / "rate.md").write_text("# How to rate\n\n## Buttons\n\n[gone](gone.md)\n\n![gone](gone.png)\n")
    (small_site / "orphan.md").write_text("# Nobody links here\n")
    done = build(small_site)
    assert done.returncode != 0
    warnings = [line for line in done.stderr.splitlines() if "WARNING: " in line]  # any of which fails a build
    for fault in ("gone.md", "keys", "gone.png", "orphan.md"):
        assert any(fault in line for line in warnings), (fault, done.stderr)
