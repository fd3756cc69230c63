"""Nodes and links of a graph as ComfyUI ran it (its API form)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_NODES = 4_000


class Unresolved(Exception):
    """A value of the graph that the file does not hold; `why` says what stands in the way."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Link(NamedTuple):
    """The output `slot` of a node."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class Node:
    """One node; a value among its inputs may be a `Link`."""

    id: str
    kind: str
    inputs: Mapping[str, Any]

    @property
    def lower(self) -> str:
        return self.kind.lower()

    def links(self) -> Iterator[tuple[str, Link]]:
        """The inputs that come from other nodes."""
        return ((name, value) for name, value in self.inputs.items() if isinstance(value, Link))


Graph = Mapping[str, Node]


def graph_of(value: object) -> Graph:
    """The graph of an object of nodes by number; empty for anything else."""
    if not isinstance(value, dict) or len(value) > MOST_NODES:
        return {}
    nodes = {str(key): node for key, node in value.items() if isinstance(node, dict) and _is_node(node)}
    return {key: Node(key, node["class_type"], _inputs(node["inputs"])) for key, node in nodes.items()}


def _is_node(node: dict[str, Any]) -> bool:
    return isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)


def _inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: as_link(value) or value for name, value in inputs.items()}


def as_link(value: object) -> Link | None:
    """The link that a value is: a list of a node's number and an output."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) and isinstance(value[1], int):
        return Link(str(value[0]), value[1])
    return None


def upstream(
    graph: Graph, start: Iterator[Link] | list[Link], stop: frozenset[str] | set[str] = frozenset()
) -> list[Node]:
    """Every node before these links, nearest first; those in `stop` are given, and not passed."""
    found: dict[str, Node] = {}
    wave = [link.node for link in start]
    while wave:
        following = []
        for key in wave:
            if key in graph and key not in found:
                found[key] = graph[key]
                if key not in stop:
                    following += [link.node for _, link in graph[key].links()]
        wave = following
    return list(found.values())
