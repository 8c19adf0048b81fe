"""What the documents state is true: README, API reference, tables of attacks and benchmarks."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from webapp import errors
from webapp.cli import main
from webapp.web.views import problems
from webapp.web.views.help import TOPICS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
API = (ROOT / "webapp/web/views/API.md").read_text()
ATTACKS = (ROOT / "tests/attacks/README.md").read_text()
BENCHMARKS_README = (ROOT / "tests/benchmarks/README.md").read_text()
MAX_README_LINES = 200
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += [path for folder in ("webapp", "tests") for path in sorted((ROOT / folder).rglob("*.md"))]


def blocks_of(document: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", document, re.S | re.M)


def test_there_are_exactly_two_set_up_commands_of_one_line_each():
    commands = [block for block in blocks_of(README) if "pip install" in block]
    assert [command.count("\n") for command in commands] == [1, 1]


def test_the_readme_is_short():
    assert README.count("\n") <= MAX_README_LINES


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_to_a_file_of_the_repository(document):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_every_help_page_that_the_readme_names_is_there():
    named = set(re.findall(r"`/help/([\w-]+)`", README))
    assert named
    assert named <= {topic.name for topic in TOPICS}


def test_every_command_that_the_readme_shows_is_there():
    named = set(re.findall(r"^flowshelf (\w+)|`flowshelf (\w+)", README, re.M))
    assert {first or second for first, second in named} <= set(main.commands)


def test_every_address_of_the_api_is_in_its_reference(app: Flask):
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            (method,) = rule.methods - {"HEAD", "OPTIONS"}
            assert f"`{method} {rule.rule}`" in API


def test_every_error_code_is_in_the_reference_of_the_api():
    known = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    known |= set(problems.CODES.values())
    table = API[API.index("## Error codes") :]
    assert set(re.findall(r"`(\w+)`", table)) - {"runId"} == known


def test_the_examples_of_the_api_work_as_they_stand(live_url, world, client, profile_id):
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    (block,) = blocks_of(API)
    names = world.names()
    environ = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "COOKIES": world.cookie_header(),
        "PROFILE": profile_id,
        "NAME": names[0],
        "OTHER": names[1],
    }
    script = block.replace("http://127.0.0.1:8765", live_url)
    printed = subprocess.run(
        ["bash", "-euc", script.replace("\ncurl", "\necho; curl")],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    answers = [json.loads(line) for line in printed.stdout.splitlines() if line.strip()]
    assert [answer["success"] for answer in answers] == [True, False, *[True] * 6]
    assert answers[1]["code"] == "account_exists"  # the example's cookies have their profile already
    assert len(answers[4]["data"]) == 3
    assert answers[6]["data"]["downloaded"] == 2


def test_the_table_of_attacks_names_every_file_of_them_and_no_other():
    named = set(re.findall(r"`(test_\w+\.py)`", ATTACKS))
    assert named == {path.name for path in (ROOT / "tests/attacks").glob("test_*.py")}
    others = set(re.findall(r"`(tests/[\w/.]+)`", ATTACKS))
    assert all((ROOT / path).exists() for path in others)


def test_every_benchmark_is_named_where_they_are_described():
    program = (ROOT / "tests/benchmarks/__main__.py").read_text()
    (names,) = re.findall(r"NAMES = \((.*?)\)", program)
    assert all(f"`{name}`" in BENCHMARKS_README for name in re.findall(r'"(\w+)"', names))
