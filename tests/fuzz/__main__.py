"""`make fuzz`: every target for a bounded time, with coverage as its guide.

In: names of targets (none: all), FUZZ_SECONDS for each (60). Out: a line for each target; findings under
build/fuzz/findings with the command that runs one again. Never: an endless run, a finding that is thrown away.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
BASE = ROOT / "build" / "fuzz"
GRACE_S = 120
MEMORY_MIB = 1500
NO_ATHERIS = """\
atheris, the coverage-guided fuzzer, is not installed: `pip install -e '.[fuzz]'`. It comes as a wheel for Linux on
x86_64 with CPython 3.11 to 3.13; elsewhere it has to be built with clang and libFuzzer. The seeded run of the same
targets needs none of it: `python -m pytest tests/fuzz`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}; none: all")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run one finding again, without the fuzzer")
    asked = parser.parse_args()
    unknown = [name for name in asked.targets if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target {unknown[0]}")
    if asked.again:
        TARGETS[asked.again.parent.name].run(asked.again.read_bytes())
        print("nothing was raised")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(NO_ATHERIS, file=sys.stderr)
        return 2
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    return max([_run(name, seconds) for name in asked.targets or TARGETS])


def _run(name: str, seconds: int) -> int:
    """0 when the target found nothing."""
    target = TARGETS[name]
    corpus, seeds, findings = (BASE / folder / name for folder in ("corpus", "seeds", "findings"))
    for folder in (corpus, seeds, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:03}").write_bytes(seed)
    log = BASE / f"{name}.log"
    before = set(findings.iterdir())
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(corpus), str(seeds)]
    command += [f"-max_total_time={seconds}", f"-max_len={target.limit_bytes}", f"-artifact_prefix={findings}/"]
    command += ["-timeout=20", f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=1", "-verbosity=1"]
    with log.open("wb") as out:
        done = subprocess.run(command, cwd=ROOT, stdout=out, stderr=out, timeout=seconds + GRACE_S, check=False)
    text = log.read_text(errors="replace")
    runs, reached = _last(r"stat::number_of_executed_units:\s*(\d+)", text), _last(r"cov: (\d+)", text)
    print(f"{name:18} {runs:>9} runs, {reached:>5} edges, {len(list(corpus.iterdir())):>5} kept", flush=True)
    new = sorted(set(findings.iterdir()) - before)
    for path in new:
        print(f"  FOUND {path.relative_to(ROOT)}: python -m tests.fuzz --again {path.relative_to(ROOT)}")
    if done.returncode and not new:
        print(f"  the fuzzer itself failed (exit {done.returncode}): {log.relative_to(ROOT)}")
    return 1 if done.returncode else 0


def _last(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    return found[-1] if found else "?"


if __name__ == "__main__":
    sys.exit(main())
