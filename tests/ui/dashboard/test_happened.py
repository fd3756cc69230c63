from datetime import timedelta

import pytest

from feedback.pool.pool import Due
from store.tables import Action, AliasEvent, AliasName, Run, RunStatus, utc_now
from ui.dashboard.happened import event_words, happenings, retrain_warning

NOW = utc_now()


def event(action: Action, reason: str = "", minutes: int = 0) -> AliasEvent:
    at = NOW - timedelta(minutes=minutes)
    return AliasEvent(
        action=action, alias=AliasName.champion, from_version=1, to_version=2, reason=reason, created_at=at
    )


def interrupted(**facts) -> Run:
    return Run(status=RunStatus.interrupted, message="killed", updated_at=NOW - timedelta(hours=2), **facts)


def test_every_event_has_words():
    assert all(event_words(event(action)) for action in Action)


def test_what_a_version_was_trained_on_is_said_once():
    found = happenings([event(Action.publish, "trained on 664 rated pictures"), event(Action.promote, "liked")], [], 9)
    assert [one[:2] for one in found] == [
        ("v2 was trained on 664 rated pictures", ""),
        ("v2 replaced v1 as champion", "liked"),
    ]


def test_a_retrain_that_ended_badly_stands_among_the_events_by_its_time():
    found = happenings([event(Action.promote, minutes=5), event(Action.begin, minutes=300)], [interrupted()], 2)
    assert [one.words for one in found] == ["v2 replaced v1 as champion", "A retrain was interrupted"]


@pytest.mark.parametrize(
    ("status", "new", "is_automatic", "next_one"),
    [
        (RunStatus.failed, 1, True, "The next one starts by itself after 39 more rejects"),
        (RunStatus.failed, 39, True, "The next one starts by itself after 1 more reject;"),
        (RunStatus.failed, 40, True, "The next one starts by itself, at the latest with the next new reject"),
        (RunStatus.failed, 1, False, "None starts by itself"),
        (RunStatus.interrupted, 1, True, "A worker goes on with it when it starts"),
        (RunStatus.interrupted, 1, False, "None starts by itself"),
    ],
)
def test_a_retrain_that_ended_early_is_named_with_its_time_and_what_comes_next(status, new, is_automatic, next_one):
    run = interrupted(manifest_id="m").model_copy(update={"status": status})
    said = retrain_warning(run, Due(new, 40), is_automatic=is_automatic)
    how = "failed" if status is RunStatus.failed else "was interrupted"
    assert said.startswith(f"The last retrain {how} 2 hours ago: killed. {next_one}")
    assert "`naysayer retrain` on the server, starts it at once" in said


def test_one_that_was_interrupted_before_it_began_starts_by_the_normal_rule():
    said = retrain_warning(interrupted(), Due(1, 40), is_automatic=True)
    assert "killed. The next one starts by itself after 39 more rejects" in said


def test_a_retrain_that_a_person_stopped_needs_nothing():
    assert retrain_warning(interrupted(stop_reason="enough"), Due(1, 40), is_automatic=True) == ""
    assert retrain_warning(Run(status=RunStatus.done), Due(1, 40), is_automatic=True) == ""
