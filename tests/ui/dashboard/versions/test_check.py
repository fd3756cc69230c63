import pytest

from feedback.check.telling import Auc
from feedback.check.version_check import How, Judged, VersionCheck, make_check
from ui.dashboard.versions.check import check_lines, check_verdict, telling

HOW = How((800,), 2, 4)


@pytest.fixture
def check() -> VersionCheck:
    judged = [Judged(k % 17 + 9.0 * (k % 3 == 0), k % 3 == 0, f"prompt {k // 6}") for k in range(240)]
    return make_check(HOW, judged).with_cut([float(k) for k in range(48)])


def test_how_well_a_check_tells_stands_in_one_sentence():
    assert telling("a rejected and a kept picture", Auc(0.84, 0.78, 0.89, 80, 118)) == (
        "of a rejected and a kept picture it scores the rejected one higher in 84 % of cases "
        "(95 % interval 78 % to 89 %, from 198 judged pictures that trained no part of it)"
    )


def test_a_check_that_is_on_says_how_well_it_tells_within_prompts_and_how_right_its_chances_are(check):
    lines = check_lines(check)
    assert check.is_on
    assert len(lines) == 4
    assert "of one prompt" in lines[2]
    assert "the chances that it gives differ from the raters’ votes by" in lines[3]


def test_a_check_that_is_off_says_why():
    said = check_verdict(3, make_check(HOW, []))
    assert said.startswith("v3 cannot judge pictures; the check is off: it needs 10 rejected and 10 kept pictures")
    assert len(check_lines(make_check(HOW, []))) == 1


def test_what_a_check_is_worth_comes_first_in_one_plain_sentence(check):
    assert check_verdict(3, check).startswith("Shown a rejected and a kept picture, v3 tells which is which in ")
    assert check_verdict(3, check).endswith(" % of cases; guessing would in 50 %.")
