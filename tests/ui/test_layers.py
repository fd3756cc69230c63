"""What the modules of ui/ may not do."""

import ast
from pathlib import Path

import pytest

import ui

MODULES = sorted(Path(ui.__file__).parent.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every name that a module imports, as `package.name`."""
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = set()
    for node in tree:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(MODULES[0].parent)))
def test_no_module_queries_the_database_itself(path):
    named = {name for name in imports(path) if name.split(".")[0] in ("sqlalchemy", "sqlmodel")}
    assert named <= {"sqlalchemy.Engine"}


def test_nothing_is_escaped_by_hand_and_html_is_marked_safe_in_one_place():
    names = {path: imports(path) for path in MODULES}
    assert [path for path, found in names.items() if {"html.escape", "markupsafe.escape"} & found] == []
    made = [path.name for path in MODULES if "Markup(" in path.read_text(encoding="utf-8")]
    assert made == ["templates.py"]


def test_no_template_switches_escaping_off():
    for path in MODULES[0].parent.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "| safe" not in text and "|safe" not in text and "autoescape" not in text, path
