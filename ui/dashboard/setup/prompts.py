"""Prompts: add, import, pause, resume, remove, weigh; what was drawn from each, and how much of it was rejected."""

from functools import partial
from pathlib import Path

import streamlit as st

from feedback.figures.prompts import PromptFilter, PromptOrder, PromptPage, prompt_page
from feedback.sample.cut_prompts import cut_prompts, cut_sentence
from feedback.sample.prompts import PromptState, import_prompts, list_imports, read_prompt_file
from feedback.sample.setting_aside import MOST_WEIGHT, Change, Which, change_prompts, weigh_prompts, would_lose
from store.errors import BadRequest, NaysayerError
from store.phrases import plural
from ui.dashboard.setup.desk import PAGE, about, act, ask, engine, refuse, say, turn
from ui.dashboard.setup.file import ask_list
from ui.dashboard.setup.rows import numbers_of, show_rows
from ui.signin.people import viewer_name
from ui.signin.powers import dialog
from ui.web.phrases import thousands
from ui.web.pieces import data_line
from ui.web.process import settings
from ui.words import changed_words, foreign_words, new_words

SIZE = 50
BOX = Path("the box.txt")
FILES = ".txt, .csv, .tsv, .json or .jsonl; longer ones with naysayer prompts import FILE"
ANY = "any"
LAST = {
    Change.pause: "No new picture is drawn from them until they are resumed.",
    Change.restore: "Pictures are drawn from them again, from the next batch on.",
    Change.remove: "They are never drawn from again; their pictures and votes stay.",
}


def show_prompts() -> None:
    """The whole part."""
    about("Pictures are drawn from this list: each prompt in its turn, in random order, then all of them again.")
    _show_adding()
    found, page = _show_filter()
    _show_list(found)
    turn("prompts page", page, found.found, SIZE)
    _show_imports()


def _show_adding() -> None:
    box = st.session_state.setdefault("prompt box", 0)
    text = st.text_area("New prompts, one a line", key=f"new prompts {box}", height=110)
    with st.container(horizontal=True, vertical_alignment="center"):
        is_pressed = st.button("Add prompts", type="primary")
        given = ask_list("prompt file")
        st.html(data_line(FILES))
    if is_pressed and not text.strip():
        refuse("the box is empty; write a prompt a line")
    if is_pressed:
        _add(BOX, text.encode())
        st.session_state["prompt box"] = box + 1
        st.rerun()
    if given is not None:
        _add(*given)
        st.rerun()


def _add(path: Path, content: bytes) -> None:
    """Adds prompts, or draws the page again with why not."""
    name = "" if path is BOX else path.name
    try:
        listed = read_prompt_file(path, content)
        imported = import_prompts(engine(), [one.text for one in listed], source=name or f"page, {viewer_name()}")
    except NaysayerError as error:
        refuse(str(error).removeprefix(f"{BOX}, "))
    cut = [] if imported.number is None else cut_prompts(engine(), imported.number)
    foreign = foreign_words(listed, is_weighted=settings().weighs_prompts)
    say(*added_words(new_words(imported, len(listed), name), imported.set_aside), foreign, cut_sentence(cut))


def added_words(new: str, set_aside: int) -> list[str]:
    """What adding prompts did, and what to know of them."""
    stay = "stays so until you resume it" if set_aside == 1 else "stay so until you resume them"
    aside = f"{plural(set_aside, 'other')}, paused or removed before, {stay}" if set_aside else ""
    return [f"{new}; the next batches draw from the whole list", aside]


def _show_filter() -> tuple[PromptPage, int]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        states = [*PromptState, ANY]
        state = st.selectbox("State", states, key="prompt state", width=150)
        order = st.selectbox("Order", list(PromptOrder), key="prompt order", width=210) or PromptOrder.newest
        words = st.text_input("Prompt has", key="prompt words", max_chars=200, width=240)
    wanted = PromptFilter(None if state == ANY else PromptState(state), words.strip(), order)
    if st.session_state.get("prompts wanted") != wanted:
        st.session_state["prompts wanted"], st.session_state["prompts page"] = wanted, 0
    page = st.session_state["prompts page"]
    found = prompt_page(engine(), wanted, page, SIZE)
    if page and not found.rows:
        page = st.session_state["prompts page"] = 0
        found = prompt_page(engine(), wanted, page, SIZE)
    counts = [f"{thousands(found.counts[one])} {one.value}" for one in PromptState if found.counts[one]]
    st.html(data_line(plural(found.found, "prompt"), *(f"{one}" for one in counts)))
    return found, page


def _show_list(found: PromptPage) -> None:
    pressed = show_rows("prompts", "prompts.html", rows=found.rows)
    if pressed is None:
        return
    which = Which(ids=numbers_of(pressed))
    if pressed.action == "weigh":
        _weigh(which)
    else:
        _change(which, pressed.action)


def _show_imports() -> None:
    rows = list_imports(engine())[::-1]
    if not rows:
        return
    with st.expander(f"Imports ({len(rows)})"):
        pressed = show_rows("imports", "imports.html", rows=rows)
    if pressed is not None and (numbers := numbers_of(pressed)):
        _change(Which(number=numbers[0]), pressed.action)


def _change(which: Which, action: str) -> None:
    if action not in list(Change):
        raise BadRequest(f"nothing is called {action[:20]!r} here; nothing was changed")
    if action == Change.remove:
        _confirm_removal(which)
    else:
        act(partial(_apply, which, Change(action)))


def _apply(which: Which, change: Change) -> list[str]:
    return [f"{changed_words(change, change_prompts(engine(), which, change))}. {LAST[change]}"]


@dialog(PAGE, "Remove prompts")
def _confirm_removal(which: Which) -> None:
    lost = would_lose(engine(), which)
    pairs = f" The evaluation set in use loses {plural(lost.pairs, 'pair')}." if lost.pairs else ""
    st.text(
        f"No picture is drawn from {plural(lost.prompts, 'prompt')} any more. Pictures and votes stay.{pairs} "
        "You can resume them later."
    )
    ask("Remove", partial(_apply, which, Change.remove))


@dialog(PAGE, "Weight")
def _weigh(which: Which) -> None:
    st.text("How often pictures are drawn from these prompts, beside one of weight 1.")
    weight = st.number_input(f"Weight, 1 to {MOST_WEIGHT}", 1, MOST_WEIGHT, 2, step=1)

    def weigh() -> list[str]:
        changed = weigh_prompts(engine(), which, int(weight))
        return [f"{plural(changed, 'prompt')} changed to weight {weight}, from the next batch on"]

    ask("Give the weight", weigh)
