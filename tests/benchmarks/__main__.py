"""Runs the benchmarks and prints their rows as a table."""

import os
import platform
from importlib import import_module
from pathlib import Path

import click

from .measuring import PEAKS, Row

NAMES = ("combinations", "downloads", "latency", "metadata", "gallery", "load", "start", "weight")


@click.command()
@click.option("--quick", is_flag=True, help="Small numbers, one round: a first look, not a measurement.")
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
def main(names: tuple[str, ...], quick: bool) -> None:
    """Run all benchmarks, or those in NAMES."""
    click.echo(f"{machine()}; load before: {os.getloadavg()[0]:.2f}\n")
    click.echo("| what | Flowshelf | compared with | ratio | target | met |\n|---|---|---|---|---|---|")
    for name in names or NAMES:
        try:
            for row in import_module(f"{__package__}.{name}").measure(quick):
                click.echo(row)
        except (ModuleNotFoundError, FileNotFoundError) as missing:
            click.echo(f"| {name} | skipped: {missing} |  |  |  |  |")
    if PEAKS:
        click.echo(Row("most memory of a server in all of the above", max(PEAKS), "MB", "<= 150 MB"))


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores ({cpu}), {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
