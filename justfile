# The few commands of this repository; `just` lists them.
python := ".venv/bin/python"

# The dashboard with sample pictures of a simulated Flow
demo *options:
    {{python}} -m webapp demo {{options}}

# The dashboard on your own data folder
serve *options:
    {{python}} -m webapp serve {{options}}

# The test suite, as in the README
test *options:
    {{python}} -m pytest {{options}}

# Tests that need other programs or take long, and the state machine with more examples
proof:
    {{python}} -m pytest -m proof
    {{python}} -m pytest --hypothesis-profile=thorough tests/test_sync_machine.py tests/google tests/sources

# Style, types and layers
check:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    {{python}} -m mypy
    .venv/bin/lint-imports
