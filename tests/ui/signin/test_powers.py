"""Whoever loses a role loses it now, on every page that is open."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlmodel import select

import ui
from feedback.people.decisions import give_role
from feedback.people.invitations import invite, revoke_invitations
from feedback.rate.controls import make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import promote
from store.engine import reading, writing
from store.errors import NotAllowed, NotSignedIn
from store.settings.history import list_changes
from store.tables import (
    Alias,
    AliasEvent,
    Control,
    EvaluationUse,
    Invitation,
    PersonRole,
    PoolEvent,
    Prompt,
    Rater,
    RaterEvent,
    Run,
    RunStatus,
    Task,
    Verdict,
    Vote,
)
from tests.ui.conftest import Served
from tests.ui.lists import choose, redrawn
from tests.ui.signin.conftest import SECRET
from tests.waiting import until
from ui.pages import PAGES as DRAWN
from ui.signin.people import COOKIE, MAY_OPEN, Viewer
from ui.signin.powers import require
from ui.web import process

SOURCES = [path for path in sorted(Path(ui.__file__).parent.rglob("*.py")) if path.name != "powers.py"]
PAGES = [path for path in SOURCES if path.relative_to(Path(ui.__file__).parent).parts[0] in ("dashboard", "rate")]
HANDLERS = ("on_click", "on_change", "on_submit", "on_select", "on_dismiss")


def calls(path: Path, name: str) -> list[ast.Call]:
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in tree if isinstance(node, ast.Call) and name in ast.unparse(node.func).split(".")]


def decorators(path: Path) -> dict[str, list[str]]:
    """The decorators of each function of a module."""
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = [node for node in tree if isinstance(node, ast.FunctionDef)]
    return {node.name: [ast.unparse(one) for one in node.decorator_list] for node in functions}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_whatever_runs_by_itself_asks_who_is_there(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"st\.(experimental_)?(fragment|dialog)\b|import .*\b(fragment|dialog)\b.*#", text)
    assert not re.search(r"st\.(file_uploader|camera_input|audio_input|chat_input|data_editor)\b", text)
    known = decorators(path)
    tree = ast.walk(ast.parse(text))
    words = [word for node in tree if isinstance(node, ast.Call) for word in node.keywords]
    given = [word.value for word in words if word.arg in HANDLERS]
    for handler in [node for node in given if not isinstance(node, ast.Constant)]:
        assert "callback(PAGE)" in known[ast.unparse(handler)], ast.unparse(handler)
    assert calls(path, "download_button") == []  # files come from routes, which ask


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_reaches_the_store_only_for_who_may_open_it(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"ui\.web import process|ui\.web\.process import [^\n]*\bengine\b|open_store", text)
    for name, found in decorators(path).items():
        if name.endswith("_page"):
            assert "guard(PAGE)" in found, f"{path.name}: {name}"


def test_every_page_is_drawn_only_for_its_roles():
    assert set(DRAWN) == set(MAY_OPEN[PersonRole.admin])
    assert [title for title, draw in DRAWN.items() if not hasattr(draw, "__wrapped__")] == []


@pytest.fixture
def invited(engine, settings, monkeypatch) -> Callable[..., Viewer]:
    """A function that invites a person; the viewer who holds that invitation."""
    for name, value in {"SIGN_IN": "invitations", "SECRET": SECRET, "PUBLIC_URL": "http://127.0.0.1:8501"}.items():
        monkeypatch.setenv(f"NAYSAYER_{name}", value)
    process.first_settings.cache_clear()

    def invited(role: PersonRole, name: str = "ann") -> Viewer:
        return Viewer({COOKIE: invite(engine, name, days=1, secret=SECRET, role=role)}, "")

    return invited


@pytest.mark.parametrize("page", MAY_OPEN[PersonRole.admin])
@pytest.mark.parametrize("role", list(PersonRole))
def test_each_role_may_what_its_pages_are_and_no_more(invited, role, page):
    viewer = invited(role)
    if page in MAY_OPEN[role]:
        assert require(page, viewer).role is role
    else:
        with pytest.raises(NotAllowed, match=f"yours is {role.value} now"):
            require(page, viewer)


def test_a_power_ends_with_the_role_the_invitation_or_the_secret(invited, engine):
    viewer = invited(PersonRole.admin)
    assert require("Versions", viewer).name == "ann"
    give_role(engine, "ann", PersonRole.curator, by="root")
    with pytest.raises(NotAllowed):
        require("Versions", viewer)
    assert require("Pool", viewer).role is PersonRole.curator
    revoke_invitations(engine, "ann")
    for page in MAY_OPEN[PersonRole.admin]:
        with pytest.raises(NotSignedIn):
            require(page, viewer)


# ---- every action of every page, through the real server ----------------------------------------------------------


def reason(page: Page, button: str) -> None:
    page.get_by_label("Reason").fill("because")
    expect(page.get_by_role("dialog").get_by_role("button", name=button)).to_be_enabled()


def opened(button: str, confirm: str) -> Callable[[Page], None]:
    """Opens the dialog behind a button, and fills it in up to its last button."""

    def prepare(page: Page) -> None:
        page.get_by_role("button", name=button).click()
        reason(page, confirm)

    return prepare


def choose_rater(page: Page) -> None:
    with redrawn(page):
        choose(page, "Rater")


def decided(button: str) -> Callable[[Page], None]:
    """The dialog of a decision about a rater, filled in."""

    def prepare(page: Page) -> None:
        choose_rater(page)
        opened(f"{button}…", button)(page)

    return prepare


def choose_role(page: Page) -> None:
    choose_rater(page)
    page.get_by_role("button", name="Role…").click()
    page.get_by_role("dialog").get_by_text("admin", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Give the role")).to_be_enabled()


def open_control(page: Page) -> None:
    page.get_by_role("button", name="Use it as a control…").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Make the control")).to_be_enabled()


def take_out(page: Page) -> None:
    page.get_by_role("button", name="Take it out…").click()
    page.locator(".asking").get_by_label("Reason").fill("because")


def ask_drawing(page: Page) -> None:
    page.get_by_label("Prompt").fill("a red star")


def write_prompt(page: Page) -> None:
    page.get_by_label("New prompts").fill("a red star")
    with redrawn(page):
        page.keyboard.press("Control+Enter")


def choose_prompt(page: Page) -> None:
    page.locator("input[name=chosen]").first.check()


def open_weight(page: Page) -> None:
    choose_prompt(page)
    behind("Weight…", "Give the weight")(page)


def name_guest(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("guest")


def change_share(page: Page) -> None:
    behind("Change Share of controls", "Change it")(page)
    page.get_by_label("New value").fill("9")
    with redrawn(page):
        page.keyboard.press("Enter")


def behind(button: str, confirm: str) -> Callable[[Page], None]:
    """Opens the dialog behind a button."""

    def prepare(page: Page) -> None:
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog").get_by_role("button", name=confirm)).to_be_enabled()

    return prepare


def as_it_is(page: Page) -> None:
    page.locator("p.ns-about").wait_for()


ACTIONS = {
    "promote": ("versions?v=1", opened("Promote v1…", "Promote v1"), "Promote v1"),
    "roll back": ("versions", opened("Roll back…", "Roll back"), "Roll back"),
    "withdraw": ("versions?v=1", opened("Withdraw v1…", "Withdraw v1"), "Withdraw v1"),
    "retrain": ("versions", opened("Retrain now…", "Retrain now"), "Retrain now"),
    "pause": ("raters", decided("Pause"), "Pause"),
    "exclude": ("raters", decided("Exclude votes"), "Exclude votes"),
    "role": ("raters", choose_role, "Give the role"),
    "make controls": ("setup?part=Controls", as_it_is, "Make 20 from pictures"),
    "retire a control": ("setup?part=Controls", behind("Take out control", "Take out of use"), "Take out of use"),
    "add prompts": ("setup", write_prompt, "Add prompts"),
    "weigh a prompt": ("setup", open_weight, "Give the weight"),
    "pause a prompt": ("setup", choose_prompt, "Pause"),
    "invite": ("setup?part=Invitations", name_guest, "Make a link"),
    "revoke": ("setup?part=Invitations", behind("Revoke the invitation", "Revoke"), "Revoke"),
    "change a setting": ("setup?part=Settings", change_share, "Change it"),
    "make a set": ("setup?part=Evaluation+sets", behind("Make a set", "Make the set"), "Make the set"),
    "take out": ("pool?image=1", take_out, "Take out"),
    "make a control": ("pool?image=1", open_control, "Make the control"),
    "draw": ("playground", ask_drawing, "Draw"),
}
ONE_A_PAGE = {path.partition("?")[0]: (path, *rest) for path, *rest in ACTIONS.values()}
"""Without an invitation no message of a page reaches Streamlit, whatever its button does."""
LOSSES = {
    "demoted": lambda engine: give_role(engine, "ann", PersonRole.rater, by="root"),
    "revoked": lambda engine: revoke_invitations(engine, "ann"),
}
SAID = {"demoted": "yours is rater now", "revoked": "this invitation was revoked"}


def decided(engine: Engine) -> dict[str, object]:
    """All that an action may change."""
    tables = (Alias, AliasEvent, Control, EvaluationUse, Invitation, PoolEvent, Prompt, RaterEvent, Task, Rater)
    with reading(engine) as session:
        found = {table.__name__: [row.model_dump() for row in session.exec(select(table))] for table in tables}
    return found | {"settings": list_changes(process.settings().data_dir)}


@pytest.fixture
def rated(engine, draw, publish_version) -> Engine:
    """A store with a champion and another version, votes of two raters, and a control."""
    draw(6)
    publish_version(engine, 1)
    publish_version(engine, 2)
    for rater in ("bob", "eve"):
        shown = next_images(engine, rater, Terms(2, 60), count=6)
        presses = [Press(f"{rater} {one.image_id}", one.image_id, Verdict.reject) for one in shown]
        record_votes(engine, rater, presses, Terms(2, 60))
    promote(engine, 2)
    draw(1, first_seed=50)

    make_control(engine, 7, Verdict.reject, by="root")
    return engine


def enter(page: Page, beyond: Served, engine: Engine, role: PersonRole = PersonRole.admin) -> None:
    """Gives the browser the cookie of a new invitation, without the page that the link leads to."""
    token = invite(engine, "ann", days=1, secret=SECRET, role=role)
    assert page.request.get(f"{beyond.url}/naysayer/invited/{token}", max_redirects=0).status == 303


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("loss", LOSSES)
def test_an_open_page_does_nothing_for_a_person_who_lost_the_role(rated, beyond: Served, page, loss):
    for action, (path, prepare, button) in (ACTIONS if loss == "demoted" else ONE_A_PAGE).items():
        enter(page, beyond, rated)
        page.goto(f"{beyond.url}/{path}")
        prepare(page)
        LOSSES[loss](rated)
        before = decided(rated)
        last = page.get_by_role("dialog") if page.get_by_role("dialog").count() else page
        # Without a wait: a page that drew itself meanwhile has lost its server, and its buttons are off.
        last.get_by_role("button", name=button).last.dispatch_event("click")
        page.get_by_text(SAID[loss]).first.wait_for()
        assert decided(rated) == before, action


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("path", ["overview", "playground"])
def test_a_page_that_draws_itself_again_shows_nothing_new(rated, beyond: Served, page, loss, path):
    enter(page, beyond, rated)
    page.goto(f"{beyond.url}/{path}")
    if path == "playground":
        page.get_by_label("Prompt").fill("a red star")
        page.get_by_role("button", name="Draw").click()
        page.get_by_text("No worker runs").wait_for()
    else:
        page.get_by_text("waiting to be rated").wait_for()
    LOSSES[loss](rated)
    page.get_by_text(SAID[loss]).first.wait_for()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_an_open_dialog_stops_no_retrain(rated, beyond: Served, page, loss, hold_retrain_lock):
    with writing(rated) as session:
        session.add(Run(status=RunStatus.running, step=1, steps=9))
    with hold_retrain_lock(rated):
        enter(page, beyond, rated)
        page.goto(f"{beyond.url}/versions")
        opened("Stop the retrain…", "Stop the retrain")(page)
        LOSSES[loss](rated)
        page.get_by_role("dialog").get_by_role("button", name="Stop the retrain").click()
        page.get_by_text(SAID[loss]).first.wait_for()
        with reading(rated) as session:
            assert session.exec(select(Run.stop_reason)).one() is None


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("path", ["?simple=1", "naysayer/plain"])
def test_an_open_page_takes_no_vote_of_a_person_who_is_not_invited_any_more(rated, draw, beyond: Served, page, path):
    draw(2, first_seed=90)
    enter(page, beyond, rated, PersonRole.rater)
    page.goto(f"{beyond.url}/{path}")
    page.get_by_role("button", name="Reject").wait_for()
    revoke_invitations(rated, "ann")
    page.get_by_role("button", name="Reject").click()
    page.get_by_text(SAID["revoked"]).first.wait_for()
    with reading(rated) as session:
        assert "ann" not in session.exec(select(Rater.name).join(Vote)).all()


@pytest.mark.browser
@pytest.mark.slow
def test_the_same_actions_work_for_a_person_who_kept_the_role(rated, beyond: Served, page):
    """Without this the test above could not fail."""
    enter(page, beyond, rated)
    for action in (
        *("retrain", "pause", "make a control", "take out", "draw"),
        *("retire a control", "weigh a prompt", "pause a prompt", "invite", "change a setting", "make a set"),
    ):
        path, prepare, button = ACTIONS[action]
        page.goto(f"{beyond.url}/{path}")
        prepare(page)
        before = decided(rated)
        last = page.get_by_role("dialog") if page.get_by_role("dialog").count() else page
        last.get_by_role("button", name=button).last.click()
        until(lambda before=before: decided(rated) != before, action)
