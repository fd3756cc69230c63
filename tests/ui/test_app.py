"""The script behind every page."""

from streamlit.testing.v1 import AppTest

from store.tables import PersonRole
from tests.waiting import PATIENCE_S
from ui.run.serve import SERVER
from ui.signin.people import MAY_OPEN


def test_it_opens_on_the_rating_page(settings, engine):
    app = AppTest.from_file(str(SERVER.with_name("app.py")), default_timeout=PATIENCE_S).run()
    assert not app.exception


def test_a_role_may_open_what_a_lesser_one_may():
    rater, curator, admin = (MAY_OPEN[role] for role in (PersonRole.rater, PersonRole.curator, PersonRole.admin))
    assert rater == ("Rate",)
    assert set(rater) < set(curator) < set(admin)
