# The handful of commands; `just` lists them.
python := ".venv/bin/python"

# The dashboard on sample pictures of a simulated Flow
demo *options:
    {{python}} -m webapp demo {{options}}

# The dashboard on your own data folder
serve *options:
    {{python}} -m webapp serve {{options}}

# The suite, as the README gives it
test *options:
    {{python}} -m pytest {{options}}

# What takes longest, and the state machine with more examples
proof:
    {{python}} -m pytest -m proof
    {{python}} -m pytest --hypothesis-profile=thorough tests/test_sync_machine.py tests/google tests/sources

# Style
check:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
