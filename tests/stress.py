"""Repeat the tests that wait on a terminal, a thread or a process, beside a load.

`make stress`, or for a part `python -m tests.stress --times 3 --load 2 tests/e2e`. Such a test
holds on a busy machine only if it waits for what it needs instead of for a while; one that fails
here waits wrongly.
"""

import argparse
import multiprocessing
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Repeat the tests that wait, beside a load.")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--load", type=int, default=6, help="busy processes beside the tests")
    parser.add_argument("paths", nargs="*", default=["tests"])
    asked = parser.parse_args()
    load = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(asked.load)]
    for process in load:
        process.start()
    try:
        for number in range(1, asked.times + 1):
            sys.stdout.write(f"{number} of {asked.times}\n")
            sys.stdout.flush()
            command = [sys.executable, "-m", "pytest", "-m", "waits", "-x", *asked.paths]
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            if code:
                sys.exit(code)
    finally:
        for process in load:
            process.kill()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
