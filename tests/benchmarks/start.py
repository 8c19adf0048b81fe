"""Start and idling: how soon a large shelf responds, and what the server uses while nobody asks."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .measuring import Row, memory_mb, processor_seconds
from .servers import DEMO, FLOWSHELF, PEERS, Program, serving
from .shelves import FEWER, MANY, kept_shelf


def measure(quick: bool) -> Iterator[Row]:
    count, idle_seconds, rounds = (FEWER, 3, 2) if quick else (MANY, 20, 5)
    data_dir = kept_shelf(count)
    ours = start(FLOWSHELF, data_dir, rounds)
    for peer in PEERS:
        theirs = start(peer, data_dir, rounds)
        what = f"first response after the command, {count:,} images"
        yield Row(what, ours[0], "s", "<= 0.4 s", peer.name, theirs and theirs[0])
        yield Row("memory after that", ours[1], "MB", "", peer.name, theirs and theirs[1])
    filled = start(DEMO, data_dir, rounds)
    yield Row("first response after `flowshelf demo`, shelf filled", filled[0], "s", "<= 5 s")
    with serving(FLOWSHELF, data_dir) as (_, process_id):
        time.sleep(1)
        used = processor_seconds(process_id)
        time.sleep(idle_seconds)
        used = processor_seconds(process_id) - used
        yield Row("memory when idle", memory_mb(process_id), "MB", "<= 90 MB")
        yield Row("processor when idle", 100 * used / idle_seconds, "%", "<= 1 %")


def start(program: Program, data_dir: Path, rounds: int) -> tuple[float, float] | None:
    """Median seconds to the first response and MB in use then; None when the program is not installed."""
    seconds, memory = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        with serving(program, data_dir) as served:
            if served is None:
                return None
            seconds.append(time.perf_counter() - began)
            memory.append(memory_mb(served[1]))
    return median(seconds), median(memory)
