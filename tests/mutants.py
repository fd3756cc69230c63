"""Breaks the code on purpose, in one small way at a time, and counts what the tests notice: make mutants (an hour).

mutmut makes the mutants ([tool.mutmut] in pyproject.toml says of which modules). Each meets first the tests of its
module, then the other tests that import the module, in a process forked from one that has run no test yet: what an
earlier test left in a cache would hide a mutant.
"""

import argparse
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

LIMIT_S = 300
FAST = "not slow and not browser and not postgres and not gpu and not alone"
OPTIONS = ["-x", "-q", "-m", FAST, "-p", "no:cacheprovider", "--timeout", "120"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the modules were imported before pytest began
BROKEN = 70
HEAVY = re.compile("test_(retrain|doctor|commands|worker|importing|processes)")  # a minute and more each
SURVIVED, CAUGHT, TIME_OUT, NO_TEST = "survived", "caught", "time out", "no test"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sample", type=int, default=600, help="how many mutants, by chance")
    asked.add_argument("--seed", type=int, default=0, help="seed of the choice")
    asked.add_argument("--processes", type=int, default=2, help="mutants at once")
    wanted = asked.parse_args()
    names = make_mutants()
    chosen = random.Random(wanted.seed).sample(names, min(wanted.sample, len(names)))
    os.chdir("mutants")
    sys.path.insert(0, ".")
    for name in sorted({module_of(name) for name in chosen}):
        import_module(name)
    became = {}
    with get_context("fork").Pool(wanted.processes, maxtasksperchild=1) as pool:
        for name, status in pool.imap_unordered(try_mutant, chosen):
            became[name] = status
            print(f"{len(became)} of {len(chosen)}: {status:8} {name}", flush=True)
    print(f"\n{len(names)} mutants, of which {len(chosen)} were tried (seed {wanted.seed})\n{report(became)}")


def make_mutants() -> list[str]:
    """The names of all mutants, which lie in the folder `mutants` from now on."""
    from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants
    from mutmut.mutation.trampoline import set_mutant_under_test

    set_mutant_under_test("mutant_generation")
    Path("mutants").mkdir(exist_ok=True)
    copy_src_dir()
    copy_also_copy_files()
    create_mutants(2)
    set_mutant_under_test("")
    made = [json.loads(path.read_text())["exit_code_by_key"] for path in sorted(Path("mutants").rglob("*.meta"))]
    return sorted(name for names in made for name in names)


def try_mutant(name: str) -> tuple[str, str]:
    """The name, and what became of the mutant."""
    import pytest
    from mutmut.mutation.trampoline import set_mutant_under_test

    if not (files := tests_of(module_of(name))):
        return name, NO_TEST
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            set_mutant_under_test(name)
            os._exit(int(pytest.main([*OPTIONS, *files])))
        finally:
            os._exit(BROKEN)
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return name, {0: SURVIVED, 4: "broken", 5: NO_TEST, BROKEN: "broken"}.get(code, CAUGHT)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return name, TIME_OUT


def tests_of(module: str) -> list[str]:
    """The tests of a module, then the others that import it; of a module without tests, those of its importers."""
    own, users, (package, _, last) = mirror_of(module), [], module.rpartition(".")
    parent, whole = re.escape(package), re.escape(module)
    forms = (f"from {whole} import", rf"import {whole}\b", rf"from {parent} import .*\b{last}\b")
    importing = re.compile(f"^({'|'.join(forms)})", re.M)
    for folder in ("feedback", "store", "trainer"):
        users += [path for path in Path("tests", folder).rglob("test_*.py") if importing.search(path.read_text())]
    found = [*own, *sorted(path for path in users if path not in own and not HEAVY.match(path.name))]
    if not found:
        sources = [path for folder in ("feedback", "store", "trainer") for path in Path(folder).rglob("*.py")]
        importers = [path for path in sorted(sources) if importing.search(path.read_text())]
        found = [test for path in importers for test in mirror_of(".".join(path.with_suffix("").parts))]
    return [str(path) for path in found]


def mirror_of(module: str) -> list[Path]:
    """The test module of the same name, where there is one."""
    package, _, last = module.rpartition(".")
    mirror = Path("tests", *package.split("."), f"test_{last}.py")
    return [mirror] if mirror.exists() else []


def module_of(name: str) -> str:
    return name.rpartition(".")[0]


def report(became: dict[str, str]) -> str:
    """A line for each package, and the mutants that no test noticed."""
    by_package: dict[str, Counter[str]] = defaultdict(Counter)
    for name, status in became.items():
        by_package[".".join(name.split(".")[:2])][status] += 1
    lines = [
        f"{package:24} {counts[CAUGHT] + counts[TIME_OUT]:4} of {counts.total():4} caught"
        for package, counts in sorted(by_package.items())
    ]
    missed = sorted(f"{status:8} {name}" for name, status in became.items() if status not in (CAUGHT, TIME_OUT))
    share = 1 - len(missed) / len(became)
    return "\n".join([*lines, f"all: {share:.1%}", "", *missed, "", "`mutmut show NAME` prints one of them"])


if __name__ == "__main__":
    main()
