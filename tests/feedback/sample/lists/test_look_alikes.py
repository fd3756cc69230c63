import pytest

from feedback.sample.lists.look_alikes import foreign_syntax, looks_like


def kind_of(text: str) -> tuple[str, int] | None:
    found = looks_like([(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()])
    return (found.kind, found.line) if found else None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('[\n  {"prompt": "a cup"}\n]', ("JSON", 1)),
        ('["a cup", "a jug"]', ("JSON", 1)),
        ('{"prompt": "a cup"}\n{"prompt": "a jug"}', ("JSON", 1)),
        ('"a cup",\n"a jug"', ("JSON", 1)),
        ("a cup\n]", ("JSON", 2)),
        ("---\n- a cup", ("YAML", 1)),
        ("prompts:\n  - a cup", ("YAML", 1)),
        ("list:\n  - a cup", ("YAML", 1)),
        ("- prompt: a cup", ("YAML", 1)),
        ("a cup\nnegative_prompt: bad", ("YAML", 2)),
        ("- a cup\n- a jug", ("a list with bullets or numbers", 1)),
        ("1. a cup\n2. a jug", ("a list with bullets or numbers", 1)),
        ("* a cup\n* a jug", ("a list with bullets or numbers", 1)),
        ("prompt\tseed\na cup\t1", ("a table", 1)),
        ("a cup\t1", ("a table", 1)),
        ("id,prompt\n1,a cup", ("a table", 1)),
        ("prompt\na cup", ("a table", 1)),
        ('"id";"prompt"\n1;a cup', ("a table", 1)),
        ("| prompt | seed |\n|---|---|", ("Markdown", 1)),
        ("```\na cup\n```", ("Markdown", 1)),
        ("### Title\n\na cup", ("Markdown", 1)),
        ("a cup\n![a jug](jug.png)", ("Markdown", 2)),
        ("# Prompts\n\n* a cup\n* a jug", ("a list with bullets or numbers", 1)),
        ("<!DOCTYPE html>\n<p>a cup", ("HTML or XML", 1)),
        ("<li>a cup</li>", ("HTML or XML", 1)),
        ('<?xml version="1.0"?>', ("HTML or XML", 1)),
        (r"{\rtf1 a cup}", ("RTF", 1)),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0", ("a Git LFS pointer", 1)),
    ],
)
def test_a_text_file_of_another_kind_is_recognised(text: str, kind: tuple[str, int]) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "portrait, (hand:1.3), [blurry]\n{red|green} cup\n<lora:foo:0.8> a cup\n# a comment",
        '"Stop" sign\n"a cup"\na man saying "go", loudly',
        "[blurry] photo\n- a dash first\na cup",
        "\ta cup \t",
        "a user <b>bold</b>",
        "prompt service at a bar\na prompter on stage",
        "3 cups\n2 jugs",
        "# my prompts\na cup\n# more\na jug",
        "#1 fan\n- a cup",
        "Rome: the city\nTitle: a book",
    ],
)
def test_prompts_are_no_other_kind(text: str) -> None:
    assert kind_of(text) is None


@pytest.mark.parametrize(
    ("prompt", "piece"),
    [
        ("portrait, (hand:1.3)", "(hand:1.3)"),
        ("a ((red)) cup", "(("),
        ("<lora:foo:0.8> a cup", "<lora:foo:0.8>"),
        ("<LORA:x:1>", "<LORA:x:1>"),
        ("a cup BREAK a jug", "BREAK"),
        ("[blurry] photo", "[blurry]"),
        ("[a:b:0.5]", "[a:b:0.5]"),
        ("{red|green} cup", "{red|green}"),
        ("__colour__ cup", "__colour__"),
        ("a cup --ar 16:9", "--ar"),
        ("# a comment", "#"),
        ("embedding:easynegative", "embedding:easynegative"),
        ("Negative prompt: bad", "Negative prompt:"),
        ("a cup (red) at a break", ""),
        ("a re-usable cup -- red", ""),
        ("a man at 10:30 (a Monday)", ""),
        ("snake_case and __init", ""),
    ],
)
def test_syntax_of_another_program_is_named(prompt: str, piece: str) -> None:
    assert foreign_syntax(prompt, is_weighted=False) == piece


@pytest.mark.parametrize(
    ("prompt", "piece"),
    [
        ("portrait, (hand:1.3) ((red)) [blurry] BREAK a jug", ""),
        ("(hand:1.3), [a:b:0.5]", "[a:b:0.5]"),
        ("[red|green] cup", "[red|green]"),
        ("(red:1.2) <lora:foo:0.8>", "<lora:foo:0.8>"),
    ],
)
def test_weights_are_no_foreign_syntax_where_they_are_read(prompt: str, piece: str) -> None:
    assert foreign_syntax(prompt, is_weighted=True) == piece
