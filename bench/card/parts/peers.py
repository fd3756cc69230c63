"""A retrain beside other projects' unchanged scripts: the same weights, pictures, rank, batch, steps and precision."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.card.computed import GB
from bench.card.parts.meter import Meter
from bench.card.parts.subject import BUILTIN, Subject
from bench.retrain.peers import (
    KOHYAS_TOKENIZERS,
    Plan,
    diffusers_options,
    kohya_options,
    lay_out_for_kohya,
    loop_seconds,
)
from bench.retrain.train import FULL_SIZE, result_of, run_child
from store.errors import BadRequest

PLAN = Plan(images=8, batch=4, micro_batch=4, steps=30, held_out=0)
ROOM_WITHOUT_CHECKPOINTING_GB = 60
MOST_SAID = 400
"""Of what a script said when it failed, so many characters from the end are kept."""
Options = Callable[[Plan, Path, str, Path, int], Iterator[str]]


class Script(NamedTuple):
    """A script of another project, the interpreter that has what it needs, and what it is given."""

    path: Path
    python: Path
    options: Options


class Scripts(NamedTuple):
    """The scripts that were named, with which interpreter each runs, and SDXL's tokenizers, which kohya's needs."""

    diffusers: Path | None = None
    kohya: Path | None = None
    python: Path = Path(sys.executable)
    kohya_python: Path = Path(sys.executable)
    tokenizers: Path | None = None

    @property
    def given(self) -> dict[str, Script]:
        """Those that were named, by project."""
        found = {"diffusers": (self.diffusers, self.python, diffusers_options)}
        found["kohya"] = (self.kohya, self.kohya_python, kohya_options)
        return {name: Script(path.resolve(), python, how) for name, (path, python, how) in found.items() if path}

    @property
    def missing(self) -> list[str]:
        """A sentence for each that was not named."""
        wanted = {
            "diffusers' script": (self.diffusers, "--diffusers-script"),
            "kohya's": (self.kohya, "--kohya-script"),
        }
        return [f"no retrain beside {name}: {option} names none" for name, (path, option) in wanted.items() if not path]

    def require(self) -> None:
        """Raises BadRequest for a path that is no file, and for kohya's script without the tokenizers that it needs."""
        for path in (self.diffusers, self.kohya):
            if path is not None and not path.is_file():
                raise BadRequest(f"{path} is not a file; give the path of the other project's training script")
        own = self.tokenizers
        vocabularies = [own / name / "vocab.json" for name in KOHYAS_TOKENIZERS] if own else []
        if self.kohya and not (vocabularies and all(path.is_file() for path in vocabularies)):
            raise BadRequest(
                f"kohya's script needs SDXL's own tokenizers, and {own or 'no folder'} was given; name a folder "
                "with tokenizer/vocab.json and tokenizer_2/vocab.json in --tokenizers"
            )


def beside_peers(
    subject: Subject, scripts: Scripts, tell: Callable[[str], None], plan: Plan = PLAN
) -> tuple[dict[str, Any], list[str]]:
    """Figures of our side and of each script that was named, and a sentence for each that failed."""
    whole, device = Meter(subject.device).whole, str(subject.device)
    is_large = whole >= ROOM_WITHOUT_CHECKPOINTING_GB * GB or subject.name == BUILTIN
    plan = replace(
        plan, device=device, checkpointing=plan.checkpointing or not is_large, side_px=plan.side_px or subject.full_px
    )
    if subject.name != BUILTIN:
        plan = replace(plan, model=FULL_SIZE, dtype="bf16", weights=subject.settings.model)
    subject.drop()
    folder = subject.folder / "peers"
    folder.mkdir()
    tell("pictures for all sides")
    base = result_of(_child(plan, folder, "pool"))["base"]
    tell("a retrain of ours")
    ended = _child(plan, folder, "ours", base, "0")
    found = result_of(ended)
    rows, failed = {"naysayer": _row(plan, ended, found["fit_s"])}, []
    for name, script in scripts.given.items():
        tell(f"{name}' script" if name.endswith("s") else f"{name}'s script")
        try:
            if name == "kohya" and scripts.tokenizers:
                lay_out_for_kohya(folder, scripts.tokenizers)
            rows[name] = _theirs(plan, folder, base, name, script)
        except (BadRequest, IndexError) as error:
            failed.append(f"{script.path.name} failed: …{' '.join(str(error).split())[-MOST_SAID:]}")
    return {"plan": asdict(plan) | {"weights": "", "model": subject.name}, "sides": rows}, failed


def _theirs(plan: Plan, folder: Path, base: str, name: str, script: Script) -> dict[str, float | None]:
    words = script.options(plan, folder, base, folder / f"{name}-0", 0)
    ended = run_child([str(script.python), "-m", "bench.retrain.run_script", str(script.path), *words])
    return _row(plan, ended, loop_seconds(ended.output))


def _child(plan: Plan, folder: Path, task: str, *words: str) -> Any:
    given = json.dumps(asdict(plan))
    return run_child([sys.executable, "-m", "bench.retrain.train_child", task, str(folder), given, *words])


def _row(plan: Plan, ended: Any, fit_s: float) -> dict[str, float | None]:
    """Images a second while steps are taken, seconds of everything else, and peak memory."""
    on_device = result_of(ended).get("device_peak_mb")
    return {
        "images_per_s": plan.batch * plan.steps / fit_s,
        "other_s": ended.wall_s - fit_s,
        "peak_gb": on_device / 1000 if on_device else None,
        "host_peak_gb": ended.peak_mb * 2**20 / GB,
    }
