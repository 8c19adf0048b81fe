"""Start and rest: how soon a large shelf answers, and what it takes while nobody asks."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measuring import (
    Row,
    Scale,
    at_most,
    in_own_process,
    median,
    processor_seconds,
    resident_mb,
)
from tests.benchmarks.serving import flowshelf, free_port, wait_for_answer
from tests.benchmarks.shelves import make_shelf


def measure(scale: Scale) -> Iterator[Row]:
    count, cooldown_seconds = scale.of(1_000_000, 20_000), scale.of(20, 3)
    with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder:
        data_dir = Path(folder, "data")
        in_own_process(make_shelf, data_dir, count)
        seconds = median(first_answer_seconds(data_dir) for _ in range(scale.of(5, 2)))
        yield at_most(f"first answer after the command, {count:,} images", seconds, "s", 1)
        with flowshelf(data_dir) as (_, process_id):
            time.sleep(1)
            used = processor_seconds(process_id)
            time.sleep(cooldown_seconds)
            used = processor_seconds(process_id) - used
            yield at_most("memory at rest", resident_mb(process_id), "MB", 90)
            yield at_most("processor at rest", 100 * used / cooldown_seconds, "%", 1)


def first_answer_seconds(data_dir: Path) -> float:
    port = free_port()
    command = [sys.executable, "-m", "webapp", "serve", "--data-dir", str(data_dir), "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    began = time.perf_counter()
    process = subprocess.Popen(command, **quiet)
    try:
        wait_for_answer(process, port)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()
