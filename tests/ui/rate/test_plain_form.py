"""The plain form, with and without a browser."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect
from sqlmodel import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from feedback.people.invitations import invite
from feedback.rate.guidelines import write_guidelines
from store.engine import reading, writing
from store.tables import Image, Lease, Prompt, Rater, Vote, VoteReason
from tests.feedback.rating import image_of
from tests.ui.conftest import PATIENCE_MS
from ui.rate.plain_form import PLAIN, plain_routes
from ui.rate.routes import routes
from ui.signin.people import COOKIE
from ui.web.guard import SameMachine

SECRET = "s" * 32
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@pytest.fixture
def client(engine, settings) -> TestClient:
    return client_of(engine, settings)


def client_of(engine, settings) -> TestClient:
    all_routes = [*routes(lambda: engine, settings), *plain_routes(lambda: engine, settings)]
    app = Starlette(routes=all_routes, middleware=[Middleware(SameMachine)])
    return TestClient(app, base_url="http://127.0.0.1:8501", follow_redirects=False)


def enter(client: TestClient, rater: str) -> str:
    """The address that the question for a name leads to."""
    answer = client.post(f"{PLAIN}/enter", data={"rater": rater})
    assert answer.status_code == 303
    return answer.headers["location"]


def forms_of(client: TestClient, rater: str = "ada") -> list[dict[str, str]]:
    """The hidden fields of each form on the page: the picture's first, then the undo's."""
    html = client.get(enter(client, rater)).text
    return [dict(FIELD.findall(form)) for form in html.split("<form")[1:]]


def votes_in(engine) -> list[tuple[str, str, int]]:
    with reading(engine) as session:
        rows = session.exec(select(Rater.name, Vote.verdict, Vote.image_id).join(Vote).order_by(Vote.id))
        return [(name, verdict.value, image) for name, verdict, image in rows]


def test_a_press_is_a_vote_and_leads_to_the_next_picture(client, engine, draw):
    draw(3)
    form, *_ = forms_of(client)
    answer = client.post(PLAIN, data=form | {"verdict": "reject", "reasons": ["hands", "text"]})
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    asked = parse_qs(where.query)
    assert (where.path, asked["rater"], asked["said"]) == (PLAIN, ["ada"], ["reject"])
    assert "Rejected" in client.get(answer.headers["location"]).text
    assert votes_in(engine) == [("ada", "reject", image_of(engine, int(form["image_id"])).id)]
    with reading(engine) as session:
        assert {row.reason.value for row in session.exec(select(VoteReason))} == {"hands", "text"}
        assert session.exec(select(Vote.page)).one() == "plain"
    following, undo = forms_of(client)
    assert following["image_id"] != form["image_id"] == undo["image_id"]
    assert client.post(PLAIN, data=undo | {"verdict": "undo"}).status_code == 303
    assert forms_of(client)[0]["image_id"] == form["image_id"], "what was undone comes back"


def test_the_form_shows_the_guidelines_and_its_vote_names_their_version(client, engine, draw):
    draw(3)
    number = write_guidelines(engine, "Count the *fingers*.", "ada")
    form, *_ = forms_of(client)
    assert "<em>fingers</em>" in client.get(enter(client, "ada")).text
    client.post(PLAIN, data=form | {"verdict": "reject"})
    with reading(engine) as session:
        assert session.exec(select(Vote.guidelines)).all() == [number]
    assert client.post(PLAIN, data=forms_of(client)[0] | {"verdict": "keep", "guidelines": "0"}).status_code == 400


def test_a_form_sent_twice_is_one_vote_and_another_button_of_it_none(client, engine, draw):
    draw(3)
    form, *_ = forms_of(client)
    for _ in range(3):
        assert client.post(PLAIN, data=form | {"verdict": "keep"}).status_code == 303
    answer = client.post(PLAIN, data=form | {"verdict": "reject"})
    assert (answer.status_code, "already used" in answer.text) == (400, True)
    assert [verdict for _, verdict, _ in votes_in(engine)] == ["keep"]


@pytest.mark.parametrize(
    "change",
    [{"ticket": ""}, {"ticket": "0" * 32}, {"rater": "eve"}, {"image_id": "2"}, {"request_id": "another-id"}],
)
def test_a_form_that_was_not_given_out_leaves_no_row(client, engine, draw, change):
    draw(1)
    form, *_ = forms_of(client)
    answer = client.post(PLAIN, data=form | {"verdict": "reject"} | change)
    assert (answer.status_code, "nothing was recorded" in answer.text) == (400, True)
    assert votes_in(engine) == []


@pytest.mark.parametrize("change", [{"verdict": "burn"}, {"verdict": ""}, {"reasons": "ugly"}])
def test_a_malformed_form_leaves_no_row(client, engine, draw, change):
    draw(1)
    form, *_ = forms_of(client)
    assert client.post(PLAIN, data=form | {"verdict": "reject"} | change).status_code == 400
    assert votes_in(engine) == []


def test_another_sites_page_can_send_no_form(client, engine, draw):
    draw(1)
    form, *_ = forms_of(client)
    for origin in ("http://evil.example", "null"):
        answer = client.post(PLAIN, data=form | {"verdict": "reject"}, headers={"origin": origin})
        assert answer.status_code == 403
    assert votes_in(engine) == []


@pytest.mark.parametrize("key", [None, "", "0" * 32, "another rater's"])
def test_opening_an_address_that_was_not_given_out_changes_nothing(client, engine, draw, key):
    draw(1)
    given = {} if key is None else {"key": enter(client, "bob").split("key=")[1] if "another" in key else key}
    answer = client.get(PLAIN, params={"rater": "eve"} | given)
    assert (answer.status_code, "Who is rating?" in answer.text) == (200, True)
    with reading(engine) as session:
        assert (session.exec(select(Rater)).all(), session.exec(select(Lease)).all()) == ([], [])


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_on_another_sites_page_reserves_no_picture(client, engine, draw, site):
    draw(1)
    answer = client.get(enter(client, "ada"), headers={"sec-fetch-site": site})
    assert "Start rating" in answer.text
    assert client.post(f"{PLAIN}/enter", data={"rater": "eve"}, headers={"sec-fetch-site": site}).status_code == 403
    with reading(engine) as session:
        assert (session.exec(select(Rater)).all(), session.exec(select(Lease)).all()) == ([], [])


def test_the_form_names_no_version_and_its_policy_allows_no_script(client, engine, draw, publish_version):
    publish_version(engine, 1)
    draw(1)
    draw(1, version=1, first_seed=1)
    pages = []
    for _ in range(2):
        answer = client.get(enter(client, "ada"))
        assert "script" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        pages.append(
            re.sub(r'(value|src|alt)="[^"]*"|<h2>.*?</h2>|your last picture: .*?<|\d votes?|Undone', "", answer.text)
        )
        client.post(PLAIN, data=forms_of(client)[0] | {"verdict": "skip"})
    with reading(engine) as session:
        assert set(session.exec(select(Image.version).join(Vote))) == {0, 1}
    assert not re.search("version|origin|control|champion", "".join(pages), re.IGNORECASE)


def test_a_name_that_cannot_be_one_is_asked_for_again(client, draw):
    draw(1)
    assert "Who is rating?" in client.get(PLAIN).text
    answer = client.post(f"{PLAIN}/enter", data={"rater": "x" * 200})
    assert (answer.status_code, "1 to 80" in answer.text) == (400, True)


def test_beyond_this_machine_the_form_belongs_to_who_signed_in(engine, settings, draw):
    draw(2)
    public = settings.model_copy(
        update={"sign_in": "invitations", "secret": SECRET, "public_url": "http://127.0.0.1:8501"}
    )
    client = client_of(engine, public)
    assert client.get(PLAIN, params={"rater": "ann"}).status_code == 401
    client.cookies.set(COOKIE, invite(engine, "ann", days=1, secret=SECRET))
    form, *_ = [
        dict(FIELD.findall(part)) for part in client.get(PLAIN, params={"rater": "bob"}).text.split("<form")[1:]
    ]
    assert form["rater"] == "ann"
    answer = client.post(PLAIN, data=form | {"verdict": "keep"})
    assert answer.headers["location"] == f"{PLAIN}?said=keep"
    assert [name for name, *_ in votes_in(engine)] == ["ann"]


# ---- a browser without JavaScript ---------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_browser_without_javascript_rates_from_the_first_page_on(engine, settings, draw, serve, chromium):
    draw(3)
    with serve(settings) as served:
        context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(served.url)
        page.locator("noscript a[href*=plain]").click()  # Playwright finds no text inside noscript
        page.get_by_label("Your name").fill("ada")
        page.get_by_role("button", name="Start rating").click()
        for verdict, said in (("Reject", "Rejected"), ("Keep", "Kept")):
            expect(page.locator("img")).to_have_js_property("naturalWidth", 64)
            page.get_by_role("button", name=verdict).click()
            expect(page.get_by_role("status")).to_have_text(said)
        page.reload()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_have_text("Undone")
        expect(page.locator("h2")).to_have_text(page.locator("img").get_attribute("alt"))
        page.get_by_role("button", name="Skip").click()
        expect(page.get_by_role("status")).to_have_text("Skipped")
        page.get_by_role("button", name="Reject").click()
        page.get_by_text("You have seen everything").wait_for()
        context.close()
    assert [verdict for _, verdict, _ in votes_in(engine)] == ["reject", "keep", "undo", "skip", "reject"]


def test_the_end_of_a_prompt_that_the_model_did_not_read_is_struck_through(client, engine, draw):
    draw(1)
    with writing(engine) as session:
        prompt = session.exec(select(Prompt).join(Image)).one()
        prompt.text, prompt.read_characters = "a <red> star", 7
        session.add(prompt)
    html = client.get(enter(client, "ada")).text
    assert '<h2>a &lt;red&gt;<s title="The model did not read this part."> star</s></h2>' in html
