import re

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from feedback.people.decisions import role_of
from feedback.people.invitations import list_invitations, state_of
from feedback.people.tokens import list_tokens, read_token
from feedback.rate.controls import control_rows
from feedback.sample.evaluation import list_sets
from feedback.sample.prompts import PromptState, list_prompts
from feedback.sample.prompts import state_of as state_of_prompt
from store.engine import reading
from store.settings.history import list_changes
from store.tables import PersonRole, Prompt, Verdict
from tests.ui.dashboard.conftest import vote_on
from tests.ui.lists import choose

SECRET = "a secret of more than thirty-two characters"


@pytest.fixture
def setup(rated, engine, draw, settings, serve, quiet_page, monkeypatch):
    """The page, opened at one of its parts; links can be signed, and the environment fixes one setting."""
    draw(3, first_seed=9)
    vote_on(engine, 3, Verdict.reject)
    monkeypatch.setenv("NAYSAYER_SECRET", SECRET)
    monkeypatch.setenv("NAYSAYER_BASE_SLICE", "0.25")
    with serve(settings) as served:

        def open_part(part: str) -> Page:
            quiet_page.goto(f"{served.url}/setup?part={part.replace(' ', '+')}")
            quiet_page.locator("p.ns-about").wait_for()
            return quiet_page

        yield open_part


def confirm(page: Page, button: str, confirmed: str) -> str:
    """Cancels the dialog behind a button once, then does it; what the dialog said."""
    for last in ("Cancel", confirmed):
        page.get_by_role("button", name=button).first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name=confirmed)).to_be_enabled()
        said = dialog.inner_text()
        dialog.get_by_role("button", name=last).click()
        expect(dialog).to_have_count(0)
    return said


def texts(engine, state: PromptState) -> set[str]:
    return {prompt.text for prompt in list_prompts(engine) if state_of_prompt(prompt) is state}


@pytest.mark.browser
@pytest.mark.slow
def test_an_admin_runs_the_loop_from_the_page(setup, engine, settings):
    page = setup("Prompts")
    walk_prompts(page, engine)
    walk_invitations(setup("Invitations"), engine)
    walk_tokens(setup("API tokens"), engine)
    walk_settings(setup("Settings"), settings)
    walk_controls(setup("Controls"), engine)
    walk_sets(setup("Evaluation sets"), engine)


def walk_prompts(page: Page, engine) -> None:
    box = page.get_by_label("New prompts")
    box.fill("x" * 2001)
    page.get_by_role("button", name="Add prompts").click()
    expect(page.get_by_role("alert")).to_contain_text("line 1: the prompt")
    expect(box).to_have_value("x" * 2001)
    box.fill("a jug\na (red:1.3) cup")
    page.get_by_role("button", name="Add prompts").click()
    page.get_by_text("2 new prompts out of 2").wait_for()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(box).to_have_value("")
    page.locator("input[type=file]").set_input_files({"name": "more.txt", "mimeType": "", "buffer": b"a bowl\n"})
    page.get_by_text("1 new prompt out of 1 in more.txt").wait_for()
    page.locator("input[type=file]").set_input_files({"name": "more.yaml", "mimeType": "", "buffer": b"a bowl\n"})
    expect(page.get_by_role("alert")).to_contain_text("more.yaml has the ending")
    row = page.locator("li", has_text="a jug")
    row.get_by_role("checkbox").focus()
    page.keyboard.press("Space")  # by the keyboard only
    page.get_by_role("button", name="Pause", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text("1 prompt paused").wait_for()
    assert texts(engine, PromptState.paused) == {"a jug"}
    page.locator("li", has_text="a bowl").get_by_role("checkbox").check()
    page.get_by_role("button", name="Weight…").click()
    page.get_by_role("dialog").get_by_role("button", name="Give the weight").click()
    page.locator(".badge.weight", has_text="weight 2").wait_for()
    page.locator("li", has_text="cup").get_by_role("checkbox").check()
    page.get_by_role("button", name="Remove…", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Pictures and votes stay").wait_for()
    dialog.get_by_role("button", name="Remove").click()
    page.get_by_text("1 prompt removed").wait_for()
    assert texts(engine, PromptState.removed) == {"a (red:1.3) cup"}
    with reading(engine) as session:
        assert session.exec(select(Prompt.weight).where(Prompt.text == "a bowl")).one() == 2


def walk_invitations(page: Page, engine) -> None:
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_role("alert")).to_contain_text("write the person's name first")
    page.get_by_label("Name", exact=True).fill("guest")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Invitation link of guest")
    expect(link).to_have_value("http://127.0.0.1:8501/naysayer/invited/1." + link.input_value().rpartition(".")[2])
    page.get_by_role("button", name="Done").click()
    expect(link).to_have_count(0)
    assert "guest" in confirm(page, "Revoke the invitation of guest", "Revoke")
    page.locator(".badge.revoked").wait_for()
    assert [state_of(row).value for row in list_invitations(engine)] == ["revoked"]


def walk_tokens(page: Page, engine) -> None:
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("alert")).to_contain_text("write the program's name first")
    page.get_by_label("Program", exact=True).fill("farm")
    page.get_by_role("button", name="Make a token").click()
    shown = page.get_by_label("Token of farm")
    expect(shown).to_have_value(re.compile("^naysayer_"))
    assert read_token(engine, shown.input_value()).name == "farm"
    page.get_by_role("button", name="Done").click()
    expect(shown).to_have_count(0)
    page.get_by_label("Program", exact=True).fill("ada")
    choose(page, "Role", "admin: may do everything")
    page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("ada is rater now. The token makes ada admin")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert role_of(engine, "ada") is PersonRole.rater
    assert "farm" in confirm(page, "Revoke token 1 of farm", "Revoke")
    page.locator(".badge.revoked").wait_for()
    assert [row.revoked_at is None for row, _ in list_tokens(engine)] == [False]


def walk_settings(page: Page, settings) -> None:
    fixed = page.locator("li", has_text="Share of the plain base")
    expect(fixed).to_contain_text("NAYSAYER_BASE_SLICE in the environment of the pages fixes it")
    expect(fixed.get_by_role("button")).to_have_count(0)
    page.get_by_role("button", name="Change Share of controls").click()
    value = page.get_by_label("New value")
    value.fill("70")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("alert")).to_contain_text("'70' is not from 0 to 50 %")
    expect(value).to_have_value("70")
    value.fill("8")
    page.get_by_role("button", name="Change it").click()
    page.get_by_text("Share of controls: the default → 8 %").wait_for()
    [change] = list_changes(settings.data_dir)
    assert change[:4] == ("control_share", "", "0.08", "this machine")


def walk_controls(page: Page, engine) -> None:
    page.get_by_text("8 % of what raters see").wait_for()  # the setting holds without a restart
    page.locator(".cards input").first.check()
    page.get_by_role("button", name="Make controls with the answer reject").click()
    page.get_by_text("1 new control").wait_for()
    confirm(page, "Take out control", "Take out of use")
    page.get_by_role("button", name="again").wait_for()
    assert [row.is_active for row in control_rows(engine)] == [False]


def walk_sets(page: Page, engine) -> None:
    page.get_by_label("Pairs").fill("3")
    page.get_by_label("Name of a new set").fill("first")
    for name in ("first", "second"):
        page.get_by_label("Name of a new set").fill(name)
        confirm(page, "Make a set…", "Make the set")
        page.get_by_text(f"Versions are compared on {name} from now on").wait_for()
    confirm(page, "Use it: set 1", "Use this set")
    page.get_by_text("Versions are compared on first from now on").wait_for()
    assert [row.name for row in list_sets(engine) if row.is_active] == ["first"]
