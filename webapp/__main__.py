"""Runs the command line: `python -m webapp` is the same as `flowshelf`."""

from webapp.cli import main

if __name__ == "__main__":
    main(prog_name="flowshelf")
