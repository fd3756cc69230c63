"""The pictures as tasks of Label Studio, each rater's current vote an annotation.

Source: Label Studio's JSON of tasks (labelstud.io/guide/tasks); places on a picture are percents there, 0 to 100.
"""

from typing import Any

from feedback.exchange.outgoing.chosen import Chosen, OneVote
from store.tables import Reason, Verdict

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio finds files below its document root, on whatever machine that is."""
DEFECT = "defect"


def labelling_interface() -> str:
    """The XML that goes with the tasks."""
    verdicts = "".join(f'<Choice value="{verdict.value}"/>' for verdict in Verdict if verdict is not Verdict.undo)
    reasons = "".join(f'<Choice value="{reason.value}"/>' for reason in Reason)
    return f"""<View>
  <Image name="picture" value="$image"/>
  <Header value="$caption"/>
  <Choices name="verdict" toName="picture" choice="single" required="true">{verdicts}</Choices>
  <Choices name="reason" toName="picture" choice="multiple">{reasons}</Choices>
  <KeyPointLabels name="mark" toName="picture"><Label value="{DEFECT}"/></KeyPointLabels>
</View>
"""


def task(one: Chosen, folder: str) -> dict[str, Any]:
    """A picture as a task; `folder` is the name of the exported folder below the document root."""
    data = {
        "image": f"{LOCAL_FILES}{folder}/train/{one.name}",
        "caption": one.prompt,
        "sha256": one.sha256,
        "picture": one.id,
    }
    current = [vote for vote in one.votes if vote.is_current and vote.verdict is not Verdict.undo]
    return {"id": one.id, "data": data, "annotations": [_annotation(one, vote) for vote in current]}


def _annotation(one: Chosen, vote: OneVote) -> dict[str, Any]:
    """Each result names rater, request and verdict, which come back with it: Label Studio gives an annotation another
    id and time, and refuses a `completed_by` whom it does not know."""
    results = [_choices("verdict", [vote.verdict.value])]
    results += [_choices("reason", list(vote.reasons))] if vote.reasons else []
    results += [_mark(one, x, y) for x, y in vote.marks]
    seconds = (vote.decided_at - vote.shown_at).total_seconds() if vote.decided_at and vote.shown_at else None
    return {
        "unique_id": vote.request_id,
        "created_at": (vote.decided_at or vote.received_at).isoformat(),
        "lead_time": seconds,
        "result": [
            result
            | {"id": f"{vote.request_id}-{place}", "meta": {"text": [vote.rater, vote.request_id, vote.verdict.value]}}
            for place, result in enumerate(results)
        ],
    }


def _choices(name: str, choices: list[str]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "picture", "type": "choices", "value": {"choices": choices}}


def _mark(one: Chosen, x: float, y: float) -> dict[str, Any]:
    return {
        "from_name": "mark",
        "to_name": "picture",
        "type": "keypointlabels",
        "original_width": one.width,
        "original_height": one.height,
        "image_rotation": 0,
        "value": {"x": x * 100, "y": y * 100, "width": 1.0, "keypointlabels": [DEFECT]},
    }
