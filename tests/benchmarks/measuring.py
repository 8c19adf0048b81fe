"""Rows of the table, and how time and memory are measured."""

import multiprocessing
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# What each `flowshelf serve` of this run needed at most, in MB.
PEAKS: list[float] = []


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, next to that of a `peer` measured in the same run.

    `theirs` is None when the peer is not installed. `target` is a limit of the figure ("<= 25 ms") or of
    its ratio to the peer's (">= 8x"), or several: "<= 25 ms, <= 2x or <= 15 ms".
    """

    what: str
    ours: float
    unit: str = ""
    target: str = ""
    peer: str = ""
    theirs: float | None = None

    def __str__(self) -> str:
        theirs = "not installed" if self.theirs is None else f"{number(self.theirs)} {self.unit}"
        peer = f"{self.peer}: {theirs}" if self.peer else ""
        ratio = f"{number(self.ratio)}x" if self.ratio is not None else ""
        is_met = {True: "yes", False: "**no**", None: ""}[self.is_met]
        cells = self.what, f"{number(self.ours)} {self.unit}", peer, ratio, self.target, is_met
        return f"| {' | '.join(cell.strip().replace('|', chr(92) + '|') for cell in cells)} |"

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None

    @property
    def is_met(self) -> bool | None:
        if not self.target or ("x" in self.target and self.ratio is None):
            return None
        return all(any(map(self._keeps, each.split(" or "))) for each in self.target.split(", "))

    def _keeps(self, target: str) -> bool:
        figure = self.ratio if target.endswith("x") else self.ours
        sign, limit = target.removesuffix("x").split()[:2]
        return figure <= float(limit) if sign == "<=" else figure >= float(limit)


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turns(actions: Sequence[Callable[[], object]], count: int) -> list[list[float]]:
    """The milliseconds of `count` calls of each action, after one that is not measured.

    They are called in turns, so that whatever else the machine does meets all of them.
    """
    for action in actions:
        action()
    turns = [[seconds_of(action) * 1000 for action in actions] for _ in range(count)]
    return [list(times) for times in zip(*turns, strict=True)]


def p95(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def in_own_process(action: Callable, *arguments: object):
    """What `action` returns in a fresh process, whose memory holds nothing of other measurements."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(action, *arguments).result()


def memory_mb(process_id: int | str = "self", *, peak: bool = False) -> float:
    """The resident memory of a process, now or at its peak."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+)", status)[1]) / 1024


def processor_seconds(process_id: int) -> float:
    """The time that a process has used on all processors."""
    user, system = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
