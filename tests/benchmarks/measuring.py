"""What a benchmark hands back, and how time and memory are taken."""

import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `is_met` is None where nothing was aimed at."""

    what: str
    ours: str
    beside: str = ""
    ratio: str = ""
    target: str = ""
    is_met: bool | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: `quick` is for a look while one works on something."""

    is_quick: bool = False

    def of(self, usual: int, quick: int) -> int:
        return quick if self.is_quick else usual


def at_most(what: str, value: float, unit: str, most: float | None = None) -> Row:
    """Something that should be small."""
    target = f"<= {number(most)} {unit}" if most is not None else ""
    return Row(what, f"{number(value)} {unit}", target=target, is_met=most is None or value <= most)


def faster_than(what: str, ours: float, peer: str, theirs: float | None, times: float | None = None) -> Row:
    """A rate beside that of a peer; `theirs` None says that it is not on this machine."""
    shown = f"{number(ours)} /s"
    if theirs is None:
        return Row(what, shown, f"{peer}: skipped, not installed")
    ratio = ours / theirs
    target = f">= {number(times)}x" if times else ""
    return Row(
        what, shown, f"{peer}: {number(theirs)} /s", f"{ratio:.2f}x", target, not times or ratio >= times
    )


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def p95(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def in_own_process(work: Callable, *given: object):
    """What `work` returns in a fresh process, so that nothing of another measurement is in its memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def peak_mb(process_id: int | str = "self") -> float:
    """The most memory that a process has held at once."""
    return _status_mb(process_id, "VmHWM")


def resident_mb(process_id: int | str = "self") -> float:
    return _status_mb(process_id, "VmRSS")


def _status_mb(process_id: int | str, name: str) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024


def processor_seconds(process_id: int) -> float:
    """Time that a process has used of all processors."""
    user, system = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
