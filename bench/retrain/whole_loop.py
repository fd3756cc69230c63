"""The whole loop with one model, each command in its own process: its seconds, and the most memory it took.

    python -m bench.retrain.whole_loop FOLDER MODEL [--pictures 8] [--steps 3] [--sweep 16]

MODEL is a folder or a file; `write_full_size` writes one of SDXL's size. CPU, bf16, 256 px.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.progress import last_stages
from feedback.retrain.stages import phases_of
from store.migrate import open_store
from store.settings import Settings
from store.tables import Verdict

SIDE = 256
LOADING = """
import json, sys, time
from store.settings import Settings
from trainer.base.model import load_base
began = time.monotonic()
base = load_base(Settings(_env_file=None, model=sys.argv[1], model_variant=sys.argv[2], device="cpu", dtype="bf16"))
took = time.monotonic() - began
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
kb = {name: int(lines[name].split()[0]) for name in ("VmHWM", "RssAnon", "RssFile")}
print(json.dumps({"seconds": took} | {name: value * 1024 for name, value in kb.items()}))
"""


class Took(NamedTuple):
    """Seconds of a process, and the most memory that was resident at once, pages of mapped files included."""

    seconds: float
    peak_bytes: int


class Plan(NamedTuple):
    """How much of everything: pictures to vote on, steps of the fit and of the sampler, pictures at each strength."""

    pictures: int = 8
    train_steps: int = 3
    draw_steps: int = 3
    sweep_pictures: int = 16


def run_loop(folder: Path, model: Path, plan: Plan) -> dict[str, Took]:
    """Draws, votes, retrains, promotes and draws with v1; what each took, by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompts.txt").write_text("".join(f"a photo of {k} cats on a table\n" for k in range(plan.pictures)))
    run = {
        "import": ["prompts", "import", str(folder / "prompts.txt")],
        "generate": ["generate", "--once"],
        "vote": [],
        "retrain": ["retrain", "--force"],
        "promote": ["promote", "1"],
        "draw": ["draw", "a photo of a cat", "--out", str(folder / "drawn")],
    }
    environment = _environment(folder, model, plan)
    took = {}
    for name, words in run.items():
        if words:
            took[name] = run_process([sys.executable, "-m", "ui.commands", *words], environment)
        else:
            vote(folder / "data")
    return took


def load_once(model: Path, variant: str = "") -> dict[str, float]:
    """What loading takes in a separate process: seconds, and bytes as the kernel counts them when it ends."""
    said = subprocess.run(
        [sys.executable, "-c", LOADING, str(model), variant], env=_threads(), capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout.splitlines()[-1])


def run_process(command: list[str], environment: dict[str, str]) -> Took:
    """Runs a command to its end. Raises CalledProcessError when it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Took(time.monotonic() - began, usage.ru_maxrss * 1024)


def vote(data_dir: Path) -> int:
    """Votes on all pictures that wait, every second one a reject; how many there were."""
    engine, terms = open_store(Settings(_env_file=None, data_dir=data_dir)), Terms(1, 60)
    waiting = next_images(engine, "ann", terms, count=1000)
    verdicts = [Verdict.reject if place % 2 else Verdict.keep for place in range(len(waiting))]
    presses = [Press(uuid.uuid4().hex, one.image_id, verdict) for one, verdict in zip(waiting, verdicts, strict=True)]
    record_votes(engine, "ann", presses, terms)
    engine.dispose()
    return len(waiting)


def phase_seconds(data_dir: Path) -> dict[str, float]:
    """Seconds of each phase of the last retrain."""
    engine = open_store(Settings(_env_file=None, data_dir=data_dir))
    found = {phase.phase.value: phase.seconds for phase in phases_of(last_stages(engine))}
    engine.dispose()
    return found


def weights_bytes(model: Path) -> int:
    """Bytes of the model's safetensors files."""
    return sum(file.stat().st_size for file in ([model] if model.is_file() else model.rglob("*.safetensors")))


def _environment(folder: Path, model: Path, plan: Plan) -> dict[str, str]:
    settings = {
        "data_dir": folder / "data",
        "model": model,
        "device": "cpu",
        "dtype": "bf16",
        "width_px": SIDE,
        "height_px": SIDE,
        "num_inference_steps": plan.draw_steps,
        "queue_target": plan.pictures,
        "evaluation_pairs": 0,
        "train_steps": plan.train_steps,
        "train_batch": 2,
        "sweep_pictures": plan.sweep_pictures,
        "micro_batch": 1,
        "lora_layers": "attention",
    }
    return _threads() | {f"NAYSAYER_{name.upper()}": str(value) for name, value in settings.items()}


def _threads() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"), "HF_HUB_OFFLINE": "1"}


def main() -> None:
    """Measures loading and the loop, and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--sweep", type=int, default=16)
    given = parser.parse_args()
    first, again = load_once(given.model), load_once(given.model)
    took = run_loop(given.folder, given.model, Plan(given.pictures, given.steps, sweep_pictures=given.sweep))
    found = {name: one._asdict() for name, one in took.items()}
    sizes = {"weights_bytes": weights_bytes(given.model), "load": first, "load_again": again}
    print(json.dumps(sizes | {"commands": found, "phases": phase_seconds(given.folder / "data")}, indent=1))


if __name__ == "__main__":
    main()
