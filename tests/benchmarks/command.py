"""The command line: what is measured, how often, and where the figures go."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile, TemporaryDirectory
from time import perf_counter, thread_time

from tests.benchmarks import report
from tests.benchmarks.measures import MEASURES, Amount, Stage

DISK_FOLDER = "/var/tmp"
"""On a disk where /tmp may be memory."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write the JSON. Returns the exit status: 0 also for a missed target."""
    asked = _parser().parse_args(arguments)
    amount = Amount().reduced() if asked.quick else Amount()
    if asked.rounds is not None:
        amount = replace(amount, rounds=asked.rounds)
    started = perf_counter()

    def say(text: str) -> None:
        print(f"{perf_counter() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    say(_machine(asked.folder))
    try:
        with TemporaryDirectory(prefix="bench-", dir=asked.folder) as folder:
            stage = Stage(amount, Path(folder), say)
            results = [result for name in asked.only for result in MEASURES[name](stage)]
    except KeyboardInterrupt:
        say("interrupted; nothing was written")
        return 130
    print(report.table(results))
    report.write(results, asked.output)
    say(f"written to {asked.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measures the server against controls that run beside it, in turns. "
        "All figures are ratios, because machines differ and are shared.",
        epilog="As arguments of make: make bench ARGS='--only B1,B3b'",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--only", type=_names, default=",".join(MEASURES), metavar="NAMES", help="which, with commas"
    )
    parser.add_argument("--rounds", type=_count, help="turns of figure and control; at least 5 for a claim")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to see that it works")
    parser.add_argument(
        "--folder", type=Path, default=DISK_FOLDER, help="where servers keep data; a real disk"
    )
    parser.add_argument("--output", type=Path, default="bench.json", help="the file of figures")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r} (there are: {', '.join(MEASURES)})")
    return names


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return int(text)


def _machine(folder: Path) -> str:
    fsync_ms, file_ms = _fsync_s(folder) * 1000, _file_s(folder) * 1000
    disk = f"fsync {fsync_ms:.2f} ms, a new file {file_ms:.2f} ms of processor time"
    warning = ""
    if fsync_ms < 0.02:
        warning = "; that is no real disk, and the figures flatter"
    elif file_ms > 0.1:
        warning = "; many files were deleted on it just now, and B3 pays for that: wait some minutes"
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {disk}{warning}"


def _file_s(folder: Path) -> float:
    """Return what it costs to make an empty file, in seconds of processor time."""
    with TemporaryDirectory(prefix="bench-", dir=folder) as scratch:
        started = thread_time()
        for number in range(50):
            (Path(scratch) / str(number)).touch()
        return (thread_time() - started) / 50


def _fsync_s(folder: Path) -> float:
    """Return how long the disk takes to make 4 KiB durable, in seconds."""
    took = []
    with NamedTemporaryFile(dir=folder) as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            started = perf_counter()
            os.fsync(file.fileno())
            took.append(perf_counter() - started)
    return median(took)
