"""How fast Flowshelf is, beside others that do the same work in the same run.

    python -m tests.benchmarks                     # all of it
    python -m tests.benchmarks --quick downloads   # one of it, with small numbers

Prints a table; asserts nothing, because machines differ. Everything happens on 127.0.0.1.
"""
