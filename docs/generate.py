"""Writes the lists in docs/reference/ from the code; `make docs` runs it.

Each page keeps its introduction; what follows the line MARK is replaced. The pages are committed, so that they can be
read on GitHub, and tests/test_docs.py fails when one no longer matches the code.
"""

import inspect
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from feedback.workers import Pulse, beat
from store import errors
from store.migrate import open_store
from store.settings import Settings
from store.tables import Worker, WorkerState
from ui.api.routes import api_routes
from ui.commands import whole_app
from ui.dashboard.live.news import news_routes
from ui.dashboard.pool.routes import pool_routes
from ui.dashboard.setup.pictures.routes import picture_routes
from ui.dashboard.sort.routes import sort_routes
from ui.export.routes import export_routes
from ui.rate.plain_form import plain_routes
from ui.rate.routes import routes
from ui.server import redirect_to_rating
from ui.settings_table import settings_markdown
from ui.signin.invitation_link import invitation_routes
from ui.signin.oidc import oidc_routes
from ui.web.metrics import metrics_routes, metrics_text

FOLDER = Path(__file__).with_name("reference")
MARK = "<!-- `make docs` writes what follows from the code. -->"


def settings_list() -> str:
    """Every setting with its default and meaning."""
    return settings_markdown()


def commands_list() -> str:
    """Every command with its arguments and options, as `--help` gives them."""
    return "\n\n".join(_command(name, one) for name, one in sorted(_commands(typer.main.get_command(whole_app()))))


def _commands(group: Any, prefix: str = "naysayer") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _command(name: str, command: Any) -> str:
    rows = [
        _parameter(parameter)
        for parameter in command.params
        if parameter.name != "help" and not getattr(parameter, "hidden", False)
    ]
    table = ["| option | default | meaning |", "| --- | --- | --- |", *rows] if rows else []
    return "\n".join([f"## {name}", "", _plain(command.help), *([""] if rows else []), *table])


def _parameter(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    names = [parameter.name.upper()] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    default = "required" if parameter.required else _default(parameter.default)
    return f"| {', '.join(f'`{name}`' for name in names)} | {default} | {_cell(parameter.help or '')} |"


def _default(value: Any) -> str:
    value = value() if callable(value) else value
    if isinstance(value, Path) and value.is_absolute():
        return "this interpreter"
    is_empty = value is None or value is False or value == ""
    return "" if is_empty else f"`{'yes' if value is True else value}`"


def errors_list() -> str:
    """Every error: when it is raised, and what to do."""
    classes = [kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__module__ == errors.__name__]
    rows = [
        f"| `{kind.__name__}` | {_cell(when)} | {_cell(' '.join(what))} |"
        for kind in classes
        for when, *what in [inspect.cleandoc(kind.__doc__ or "").split("\n\n")]
    ]
    return "\n".join(["| error | when | what to do |", "| --- | --- | --- |", *rows])


def metrics_list() -> str:
    """Every metric with its kind and help, as a store with one worker gives them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        engine = open_store(settings)
        beat(engine, Pulse(Worker(name="one", host="here", state=WorkerState.resting), 0.0))
        lines = metrics_text(engine, settings).splitlines()
    kinds = dict(line.split()[2:4] for line in lines if line.startswith("# TYPE "))
    helps = [line.removeprefix("# HELP ").split(" ", 1) for line in lines if line.startswith("# HELP ")]
    rows = [f"| `{name}` | {kinds[name]} | {_cell(meaning)} |" for name, meaning in helps]
    return "\n".join(["| metric | kind | meaning |", "| --- | --- | --- |", *rows])


def routes_list() -> str:
    """Every HTTP route of ours with its methods and what it gives."""
    settings = Settings(sign_in="invitations", secret="x" * 32, public_url="http://127.0.0.1")

    def no_engine() -> Any:
        raise AssertionError("a list of routes opens no store")

    rows = [("GET", "/rate", _plain(redirect_to_rating.__doc__))]
    makers = (
        routes,
        plain_routes,
        invitation_routes,
        metrics_routes,
        news_routes,
        pool_routes,
        sort_routes,
        picture_routes,
        export_routes,
        api_routes,
    )
    found = [route for make in makers for route in make(no_engine, settings)]
    for route in [*found, *oidc_routes(settings.model_copy(update={"sign_in": "oidc"}))]:
        methods = ", ".join(sorted(set(route.methods or ()) - {"HEAD"}))
        rows.append((methods, route.path, _plain(route.endpoint.__doc__)))
    lines = [f"| {method} | `{path}` | {_cell(text)} |" for method, path, text in rows]
    return "\n".join(["| method | path | gives |", "| --- | --- | --- |", *lines])


def _plain(docstring: str | None) -> str:
    return " ".join((docstring or "").split())


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


LISTS: dict[str, Callable[[], str]] = {
    "settings.md": settings_list,
    "commands.md": commands_list,
    "errors.md": errors_list,
    "metrics.md": metrics_list,
    "routes.md": routes_list,
}


def page(name: str) -> str:
    """A page of docs/reference/ as it should be: its own introduction, then the list from the code."""
    introduction, mark, _ = (FOLDER / name).read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise ValueError(f"docs/reference/{name} has no line {MARK}")
    return f"{introduction}{MARK}\n\n{LISTS[name]()}\n"


if __name__ == "__main__":
    for name in LISTS:
        (FOLDER / name).write_text(page(name), encoding="utf-8")
