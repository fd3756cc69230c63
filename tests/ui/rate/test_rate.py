"""The component that the rating page is: its modules joined into one, its HTML with the keys on its buttons."""

import re

from ui.rate.page_data import KEYS, LIMITS, keycap
from ui.rate.rate import MODULES, PARTS, joined_script, page_html

DEFINED = re.compile(r"^(?:export )?(?:const|let|class|(?:async )?function) (?:\[([^\]]+)\]|(\w+))", re.MULTILINE)


def test_every_module_is_joined_once_and_after_what_it_imports():
    assert sorted(MODULES) == sorted(path.stem for path in PARTS.glob("*.js"))
    for place, name in enumerate(MODULES):
        imported = re.findall(r'from "\./(\w+)\.js"', (PARTS / f"{name}.js").read_text(encoding="utf-8"))
        assert set(imported) <= set(MODULES[:place]), name


def test_the_joined_script_imports_nothing_and_exports_only_mount():
    script = joined_script()
    assert not re.search(r"^import ", script, re.MULTILINE)
    assert re.findall(r"^export .*", script, re.MULTILINE) == [
        "export default function mount({ parentElement, data }) {"
    ]


def test_no_two_modules_define_the_same_name():
    names = [one or name for one, name in DEFINED.findall(joined_script())]
    assert len(names) > 40
    assert len(names) == len(set(names))


def test_the_buttons_name_their_keys_and_the_name_its_limit():
    html = page_html()
    assert f'maxlength="{LIMITS.maxName}"' in html
    assert 'data-verdict="reject" data-only="one" class="big reject" aria-keyshortcuts="J ArrowLeft"' in html
    for bound in KEYS.values():
        for action in bound.keys() - {"left", "right", "up", "down"}:
            assert f"<kbd>{keycap(bound[action][0])}</kbd>" in html, action
