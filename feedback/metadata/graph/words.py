"""The text behind a conditioning: encoders, reroutes, pipes, combinations, nodes that hold or join texts."""

import re
from typing import Any, NamedTuple

from feedback.metadata.found import Draft, Mark
from feedback.metadata.graph.nodes import Graph, Link, Node, Unresolved
from feedback.metadata.values import as_whole

MOST_TEXT = 100_000
TEXT_KEYS = (
    "text",
    "populated_text",
    "prompt",
    "string",
    "value",
    "wildcard_text",
    "input_text",
    "Text",
    "STRING",
    "text_positive",
    "text1",
    "text_1",
    "any",
    "anything",
    "source",
    "input",
    "_",
)
MAKERS = re.compile(
    r"random|wildcard|llm|gpt|ollama|llava|caption|tagger|florence|joy|translat|styler|style|generat|enhanc|replac|"
    r"regex|extract|loadprompt|load prompt|from ?file|\blines?\b|list|csv|api|chat|search|split|iterat|"
    r"index|pick|choice|truncat|lora.?manager|dynamic|interrogat|describe|deepbooru|wd14|shuffl|expan|parse|process|"
    r"lower|upper|trim|strip|filter|remove|format(?!ion)|template|prefix|suffix|modif|rewrit|add.?tokens|substring|"
    r"build|compos|\bmix\b"
)
"""Nodes that make another text of what they are given."""
LANGUAGE_MODEL = {"api_key", "max_tokens", "max_new_tokens", "system_prompt", "temperature", "top_p"}
"""Inputs of nodes that let a language model write the text, whatever they are called."""
WILDCARD = re.compile(r"__[^\s_].*?__|\{[^{}|]*\|[^{}]*\}")
JOINERS = re.compile(r"concat|join|append|combin|stringfunction|merge")
PART = re.compile(r"(text|string|str|prompt|conditioning)_?([a-z]|\d+|to|from)", re.I)
ENCODERS = re.compile(
    r"encode|conditioning|prompt|loader|context|pipe|primitive|string|text|literal|multiline|note|show|display|reroute|"
    r"constant|sampler|cr |comfyui"
)
COMBINED = re.compile(r"combine|average|blend")
PARTIAL = re.compile(r"setarea|setmask|regional|mask|couple|gligen")
STEERED = re.compile(
    r"controlnet|control net|unclip|stylemodel|ipadapter|instantid|pulid|photomaker|reference|t2i|redux"
)
KEEPS_BLANKS = re.compile(r"stringconcatenate|joinstring|cr text")
"""Nodes that put their delimiter beside an empty text as well."""
DELIMITERS = {"none": "", "space": " ", "comma": ", ", "newline": "\n", "\\n": "\n"}
PIPES = re.compile(r".*pipe|sdxl_tuple|ctx|context|base_ctx|guider|noise|bundle")
NO_STYLE = ("", "none", "no style", "base", "default", "-")


class Said(NamedTuple):
    """A prompt, and what SDXL's other encoder read where that was another text."""

    text: str
    other: str = ""


class Words:
    """Finds texts in a graph; what stands on the way becomes a mark of the draft."""

    def __init__(self, graph: Graph, draft: Draft) -> None:
        self.graph, self.draft = graph, draft
        self._known: dict[tuple[Link, str], Said | Unresolved] = {}
        self._open: set[tuple[Link, str]] = set()

    def said(self, value: Any, half: str) -> Said:
        """The text that leads to a value, for `half`, which is positive or negative. Raises Unresolved."""
        if isinstance(value, str):
            return Said(value)
        if not isinstance(value, Link):
            raise Unresolved("the prompt does not stand in the graph")
        key = (value, half)
        if key in self._open:
            raise Unresolved("the graph runs in a circle")
        if len(self._open) > 100:
            raise Unresolved("the prompt lies behind more than 100 nodes")
        if key not in self._known:
            self._open.add(key)
            try:
                self._known[key] = self._of(value, half)
            except Unresolved as error:
                self._known[key] = error
            finally:
                self._open.remove(key)
        found = self._known[key]
        if isinstance(found, Unresolved):
            raise found
        return found

    def _of(self, link: Link, half: str) -> Said:
        node = self.graph.get(link.node)
        if node is None:
            raise Unresolved("a node on the way to the prompt is missing")
        kind = node.lower
        if "zeroout" in kind:
            return Said("")
        self._mark(node)
        if kind.startswith("controlnetapply") and "positive" in node.inputs and link.slot < 2:
            half = ("positive", "negative")[link.slot]
        if JOINERS.search(kind) or "average" in kind:
            return self._joined(node, half)
        if re.search("switch|select|if ?else", kind) and "styl" not in kind:
            return self.said(_chosen(node), half)
        if link.slot and "text_b" in node.inputs:
            return self.said(node.inputs.get(f"text_{'abcdefgh'[min(link.slot, 7)]}"), half)
        is_double = node.inputs.get("text_g") or node.inputs.get("text_l") or "text" not in node.inputs
        if "text_g" in node.inputs and is_double and node.inputs.get("with_SDXL") is not False:
            return self._double(node.inputs.get("text_g"), node.inputs.get("text_l"), half)
        if "prompt_g" in node.inputs and "prompt_l" in node.inputs:
            return self._double(node.inputs["prompt_g"], node.inputs["prompt_l"], half)
        return self._single(node, half)

    def _mark(self, node: Node) -> None:
        if PARTIAL.search(node.lower) and not node.lower.startswith("inpaint"):
            self.draft.mark(Mark.regional, "parts of it have their own prompts")
        if STEERED.search(node.lower):
            self.draft.mark(Mark.controlled, f"another picture steered it ({node.kind[:40]})")

    def _single(self, node: Node, half: str) -> Said:
        """The text of a node that has one, or of the one node that it passes on."""
        inputs, kind = node.inputs, node.lower
        own = (half, f"{half}_prompt", f"text_{half}", f"{half}_text", f"optional_{half}", f"base_{half}", half[:3])
        has_halves = any(isinstance(inputs.get(name), str | Link) for name in own)
        keys = own if has_halves else TEXT_KEYS
        has_style = str(inputs.get("style", "?")).lower() not in NO_STYLE
        if LANGUAGE_MODEL & inputs.keys() or (MAKERS.search(kind) and has_style):
            return self._made(node, keys, half)
        for name in keys:
            value = inputs.get(name)
            if isinstance(value, Link):
                return self.said(value, half)
            if isinstance(value, str) and (ENCODERS.search(kind) or "clip" in inputs) and not _adds(node, keys):
                return Said(value)
        for name, link in node.links():
            if re.match(r"cond|positive|negative", name) or PIPES.fullmatch(name):
                return self.said(link, half)
        links = [link for _, link in node.links()]
        if "reroute" in kind and len(links) == 1:
            return self.said(links[0], half)
        raise Unresolved(f"the node {node.kind[:60]!r} makes the prompt, and its text is not in the file")

    def _made(self, node: Node, keys: tuple[str, ...], half: str) -> Said:
        """The text of a node that may change what it is given: only where it kept its result, or had nothing to do."""
        populated = node.inputs.get("populated_text")
        if isinstance(populated, str) and populated.strip():
            return Said(populated)
        texts = [node.inputs.get(name) for name in keys if node.inputs.get(name) is not None]
        is_mere_wildcard = re.search("wildcard|random|dynamic", node.lower) and not re.search("llm|gpt", node.lower)
        if is_mere_wildcard and texts:
            said = self.said(texts[0], half)
            if not WILDCARD.search(said.text):
                return said
        raise Unresolved(f"the node {node.kind[:60]!r} makes the prompt, and its text is not in the file")

    def _double(self, first: Any, second: Any, half: str) -> Said:
        """SDXL's two prompts: `text_g` for the second encoder, `text_l` for the first."""
        texts = [self.said(value, half).text for value in (first, second) if value is not None]
        main, other = next((text for text in texts if text.strip()), ""), texts[-1]
        if len({" ".join(text.split()) for text in texts}) > 1:
            self.draft.mark(Mark.two_prompts, "its two text encoders were given different prompts")
        return Said(main, other if other.strip() and other.split() != main.split() else "")

    def _joined(self, node: Node, half: str) -> Said:
        """Texts or conditionings joined by one node. Prompts one after the other are A1111's BREAK, several its AND."""
        named = [(name, value) for name, value in node.inputs.items() if PART.fullmatch(name)]
        named.sort(key=lambda one: (one[0].endswith("from"), one[0].lower()))
        if not named:
            named = [(name, link) for name, link in node.links() if name not in ("clip", "model")]
        if not named or str(node.inputs.get("action", "append")) != "append":
            raise Unresolved(f"what the node {node.kind[:60]!r} does is not known")
        said = [self.said(value, half) for _, value in named]
        is_conditioning = any(isinstance(value, Link) for _, value in named) and "conditioning" in node.lower
        if is_conditioning:
            parts = list(dict.fromkeys(one.text for one in said if one.text.strip()))
            is_together = COMBINED.search(node.lower) and node.inputs.get("operation") != "concat"
            if is_together and len(parts) > 1:
                self.draft.mark(Mark.regional, "several prompts were drawn together")
            text = (" AND " if is_together else " BREAK ").join(parts)
        else:
            text = self._concatenated(node, [one.text for one in said], half)
        if len(text) > MOST_TEXT:
            raise Unresolved("the joined prompt is longer than any program reads")
        return Said(text, next((one.other for one in said if one.other), ""))

    def _concatenated(self, node: Node, texts: list[str], half: str) -> str:
        """The texts with what the node puts between two; Unresolved where the graph does not say what that is."""
        if str(node.inputs.get("clean_whitespace", "")).lower() == "true":
            texts = [text.strip() for text in texts]
        if not KEEPS_BLANKS.search(node.lower):
            texts = [text for text in texts if text.strip()]
        if "tidy_tags" in node.inputs:
            return _tidy(texts) if node.inputs["tidy_tags"] == "yes" else "".join(texts)
        given = [node.inputs[name] for name in ("delimiter", "separator", "delim", "sep") if name in node.inputs]
        if not given:
            raise Unresolved(f"what the node {node.kind[:60]!r} puts between its texts is not known")
        between = self.said(given[0], half).text
        return DELIMITERS.get(between, between).join(texts)


def _adds(node: Node, keys: tuple[str, ...]) -> bool:
    """Whether a node that holds a text is given another one besides, which it may put before or behind its own."""
    return any(re.search("text|string|prompt", name) and name not in keys for name, _ in node.links())


def _tidy(texts: list[str]) -> str:
    """Tags with one comma and one space between two."""
    joined = re.sub(r"\s{2,}", " ", ", ".join(texts)).replace(" ,", ",")
    return re.sub(",{2,}", ",", joined).strip()


def _chosen(node: Node) -> Any:
    """The input that a switch lets through."""
    choice = node.inputs.get("select", node.inputs.get("index", node.inputs.get("boolean", node.inputs.get("switch"))))
    links = dict(node.links())
    if isinstance(choice, bool):
        names = ("on_true", "true", "if_true") if choice else ("on_false", "false", "if_false")
        found = next((links[name] for name in names if name in links), None)
    elif (number := as_whole(choice)) is not None:
        found = links.get(f"input{number}") or links.get(f"input_{number}")
    else:
        found = links[min(links)] if links and (node.lower.startswith("any ") or len(links) == 1) else None
    if found is None:
        raise Unresolved(f"which input the node {node.kind[:60]!r} takes is not known")
    return found
