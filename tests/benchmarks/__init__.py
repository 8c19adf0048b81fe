"""Measures Flowshelf next to other programs that do the same work in the same run.

    python -m tests.benchmarks                     # everything
    python -m tests.benchmarks --quick downloads   # one benchmark, with small numbers

Prints a table and asserts nothing, because machines differ. Everything runs on 127.0.0.1.
"""
