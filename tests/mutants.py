"""Breaks the code on purpose, in one small way at a time, and counts what the tests notice: make mutants (an hour).

mutmut makes the mutants; [tool.mutmut] in pyproject.toml says of which modules, and which tests run against them.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from mutmut.stats import status_by_exit_code

ANY = "store.errors.*"  # a run makes the mutants and learns which tests reach which function, whatever it tries
CAUGHT = {"killed", "timeout", "segfault"}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sample", type=int, default=600, help="how many mutants, by chance")
    asked.add_argument("--seed", type=int, default=0, help="seed of the choice")
    wanted = asked.parse_args()
    mutmut("run", ANY)
    names = sorted(statuses())
    chosen = sorted(random.Random(wanted.seed).sample(names, min(wanted.sample, len(names))))
    mutmut("run", *chosen)
    print(f"{len(names)} mutants, of which {len(chosen)} were tried (seed {wanted.seed})\n")
    print(report(chosen, statuses()))


def mutmut(*words: str) -> None:
    command = [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", *words, "--max-children", "1"]
    subprocess.run(command, check=True)


def statuses() -> dict[str, str]:
    """What became of each mutant."""
    found: dict[str, str] = {}
    for path in Path("mutants").rglob("*.meta"):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        found |= {name: status_by_exit_code[code] for name, code in codes.items()}
    return found


def report(chosen: list[str], became: dict[str, str]) -> str:
    """A line for each package, and the mutants that no test noticed."""
    by_package: dict[str, Counter[str]] = defaultdict(Counter)
    for name in chosen:
        by_package[".".join(name.split(".")[:2])][became[name]] += 1
    lines = []
    for package, counts in sorted(by_package.items()):
        caught = sum(counts[status] for status in CAUGHT)
        lines.append(f"{package:24} {caught:4} of {counts.total():4} caught ({caught / counts.total():.0%})")
    missed = [f"{became[name]:9} {name}" for name in chosen if became[name] not in CAUGHT]
    share = 1 - len(missed) / len(chosen)
    return "\n".join([*lines, f"all: {share:.1%}", "", *missed, "", "`mutmut show NAME` prints one of them"])


if __name__ == "__main__":
    main()
