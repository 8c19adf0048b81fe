# The commands of a working day; `just` lists them.
python := ".venv/bin/python"

# Start the dashboard on sample pictures of a simulated Flow
demo *options:
    {{python}} -m webapp demo {{options}}

# Start the dashboard on your own data folder
serve *options:
    {{python}} -m webapp serve {{options}}

# Run the suite, as in the README
test *options:
    {{python}} -m pytest {{options}}

# Run the tests that take longest, and the state machine with more examples
proof:
    {{python}} -m pytest -m proof
    {{python}} -m pytest --hypothesis-profile=thorough tests/test_sync_machine.py tests/google tests/sources

# Check style, layers and types
check:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/lint-imports
    {{python}} -m mypy

# Take pictures of every page into the temp folder
screenshots *options:
    {{python}} -m pytest -n 0 tests/browser/screenshots.py {{options}}
