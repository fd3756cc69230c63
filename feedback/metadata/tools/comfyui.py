"""ComfyUI: the graph that ran (`prompt`), else the editor's (`workflow`)."""

from collections.abc import Mapping
from typing import Any

from feedback.metadata.found import Draft, Mark
from feedback.metadata.graph.editor import graph_of_editor
from feedback.metadata.graph.nodes import Graph, graph_of
from feedback.metadata.graph.runs import TOOL, draft_of
from feedback.metadata.graph.samplers import Flow, savers
from feedback.metadata.texts import Texts
from feedback.metadata.values import as_dict

MOST_SAVERS = 10


def read(texts: Texts, size: tuple[int, int] | None = None) -> Draft | None:
    """The draft of the saved picture; `size` (pixels) tells which, where a graph saves several."""
    found: Draft | None = None
    for graph in _graphs(texts):
        found = _of(graph, size)
        if found.prompt is not None:
            break
    if found is None and _is_graph(texts):
        return Draft(TOOL, why="its graph holds no node that can be read")
    if found is not None and (texts.value("extraMetadata") or "airs" in as_dict(texts.value("extra"))):
        found.tool = "Civitai"
    return found


def _graphs(texts: Texts) -> list[Graph]:
    """The graphs of a file: as it ran, then as the editor keeps it."""
    ran = [graph_of(as_dict(bag.get("prompt"))) for bag in texts.bags]
    bare = [graph_of(bag) for bag in texts.bags[1:]]
    edited = [graph_of_editor(as_dict(bag.get("workflow"))) for bag in texts.bags]
    return [graph for graph in (*ran, *bare, *edited, *map(graph_of_editor, texts.bags[1:])) if graph]


def _is_graph(texts: Texts) -> bool:
    values: list[Mapping[str, Any]] = [as_dict(bag.get(key)) for bag in texts.bags for key in ("prompt", "workflow")]
    return any("nodes" in one or any("class_type" in as_dict(node) for node in one.values()) for one in values)


def _of(graph: Graph, size: tuple[int, int] | None) -> Draft:
    """The draft of a graph: of the one saver, or where several saved different pictures, of the one of that size."""
    flow = Flow(graph)
    drafts = [draft_of(flow, saver) for saver in savers(graph)[:MOST_SAVERS]]
    if not drafts:
        return Draft(TOOL, why="its graph saves no picture")
    plain = [one for one in drafts if one.size == size and Mark.upscaled not in one.marks]
    fitting = plain or [one for one in drafts if one.size != size or Mark.upscaled in one.marks]
    if len({(one.prompt, one.negative_prompt, one.seed) for one in fitting}) > 1:
        different = f"its graph saved {len(fitting)} different pictures, and the file does not say which it is"
        return Draft(
            TOOL,
            base=_common({one.base for one in drafts}),
            model=_common({one.model for one in drafts}),
            why=different,
        )
    return max(fitting, key=lambda one: len(one.marks))


def _common(words: set[str]) -> str:
    return words.pop() if len(words) == 1 else ""
