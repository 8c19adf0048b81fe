"""Runs the benchmarks and prints what they come to."""

import os
import platform
import sys
from pathlib import Path

import click

from tests.benchmarks import downloads, gallery, latency, load, metadata, start, thumbnails, weight
from tests.benchmarks.measuring import Row, Scale

BENCHMARKS = {
    "downloads": downloads.measure,
    "latency": latency.measure,
    "metadata": metadata.measure,
    "gallery": gallery.measure,
    "load": load.measure,
    "start": start.measure,
    "thumbnails": thumbnails.measure,
    "weight": weight.measure,
}


@click.command()
@click.option("--quick", is_flag=True, help="Small numbers, one round: a look, not a measurement.")
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
def main(names: tuple[str, ...], quick: bool) -> None:
    """Measure all that Flowshelf promises of its speed, or what NAMES says."""
    click.echo(f"{_machine()}; load before: {os.getloadavg()[0]:.2f}\n")
    click.echo("| what | Flowshelf | beside it | ratio | target | met |\n|---|---|---|---|---|---|")
    for name in names or BENCHMARKS:
        for row in BENCHMARKS[name](Scale(is_quick=quick)):
            click.echo(_line(row))


def _line(row: Row) -> str:
    is_met = {True: "yes", False: "**no**", None: ""}[row.is_met if row.target else None]
    cells = (row.what, row.ours, row.beside, row.ratio, row.target, is_met)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores ({cpu}), {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
