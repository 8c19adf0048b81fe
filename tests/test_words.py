"""One word for one thing, in everything that a person reads: an image is no picture, and a sync is a Sync."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from bs4 import BeautifulSoup

import webapp
from webapp import store
from webapp.cli import main
from webapp.config import SETTINGS
from webapp.database.models import Run
from webapp.database.states import Role, RunKind, RunState, SyncMode
from webapp.store import runs
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Filter, Selection
from webapp.web.services import background_of, sharing_of
from webapp.web.views.help import TOPICS
from webapp.web.views.ignored_reasons import skipped_sentence

# FLOWSHELF_PICTURE_HOSTS is one word here, and none of these.
OTHER_WORDS = re.compile(r"\b(pictures?|photos?|photographs?|quick syncs?)\b", re.IGNORECASE)
READ_ATTRIBUTES = ("aria-label", "aria-description", "title", "placeholder", "alt", "data-confirm")
FOLDER = Path(webapp.__file__).parent
TEMPLATES = webapp.asset_root() / "templates"
TEMPLATE_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def other_words(text: str) -> list[str]:
    """The words that should be others, with what stands around them."""
    return [text[max(0, found.start() - 40) : found.end() + 20] for found in OTHER_WORDS.finditer(text)]


def read_text(html: str) -> str:
    """All that a person reads on a page or hears from it."""
    page = BeautifulSoup(html, "html.parser")
    spoken = [tag[name] for name in READ_ATTRIBUTES for tag in page.select(f"[{name}]")]
    for tag in page.select("script, style"):
        tag.decompose()
    return "\n".join([page.get_text(" "), *spoken])


def sentences_in(path: Path) -> Iterator[str]:
    """The texts in the code of a module. A text of one word is a name, and a docstring is for its readers."""
    tree = ast.parse(path.read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    docstrings = {ast.get_docstring(node, clean=False) for node in nodes}
    return (
        text for text in texts if isinstance(text, str) and " " in text.strip() and text not in docstrings
    )


def commands_of(command: click.Command, *names: str) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(names), command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands_of(each, *names, name)


def test_every_template_calls_things_by_their_words():
    texts = {path.name: TEMPLATE_CODE.sub(" ", path.read_text()) for path in TEMPLATES.rglob("*.html")}
    assert len(texts) > 50
    found = {name: other_words(read_text(text)) for name, text in texts.items()}
    assert {name: words for name, words in found.items() if words} == {}


def test_errors_and_all_other_sentences_in_the_code_call_things_by_their_words():
    modules = [path for path in FOLDER.rglob("*.py") if FOLDER / "demo" not in path.parents]
    found = {path.name: other_words("\n".join(sentences_in(path))) for path in modules}
    assert {name: words for name, words in found.items() if words} == {}


def test_the_help_of_the_commands_and_settings_calls_things_by_their_words():
    for name, command in commands_of(main):
        with click.Context(command, info_name=f"flowshelf {name}") as context:
            assert other_words(command.get_help(context)) == [], name
    assert [words for setting in SETTINGS for words in other_words(str(setting))] == []


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"video": 3}, "3 skipped (videos)."),
        ({"not_ready": 1}, "1 skipped (unfinished image)."),
        ({"video": 1200, "sound": 1}, "1,201 skipped (1,200 videos, 1 sound)."),
        ({}, "4 skipped (not images)."),
    ],
)
def test_what_a_sync_skipped_is_said_in_one_form(counts, sentence):
    run = Run(ignored_count=sum(counts.values()) or 4, ignored_reasons=json.dumps(counts))
    assert skipped_sentence(run) == sentence


@pytest.fixture
def lived_in(running, world, flow):
    """A shared app whose shelf has downloaded, failed and missing images, and runs of all kinds."""
    app = running(share=True, host="127.0.0.1")
    work = background_of(app)
    with store.connection():
        profile_id = work.accounts.add("Ada", world.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
        ids = selections.list_ids(Selection(everything=Filter()))
        world.change(world.names()[0], content=b"not whole")
        world.delete(world.names()[1])
        work.downloads.wait_for_run(work.downloads.request(profile_id, ids[:20]).id)
        work.syncs.wait(work.syncs.start(profile_id, mode=SyncMode.FULL).id)
        world.sign_out()
        run = work.syncs.wait(work.syncs.start(profile_id).id)
        assert run.state == RunState.WAITING
        download = runs.find_last_run(profile_id, RunKind.DOWNLOAD)
    paths = [
        "/",
        "/overview",
        "/activity",
        "/profiles",
        "/share",
        "/settings",
        "/exports",
        "/help",
        "/firefox",
    ]
    paths += [f"/images/{image_id}" for image_id in ids[:2]]
    paths += [f"/runs/{run.id}", f"/runs/{download.id}", f"/profiles/{profile_id}", "/nothing"]
    paths += [f"/profiles/{profile_id}/remove", *(f"/help/{topic.name}" for topic in TOPICS)]
    return app, paths


@pytest.mark.parametrize("role", [Role.OWNER, Role.GUEST])
def test_every_page_calls_things_by_their_words(lived_in, role):
    app, paths = lived_in
    visitor = app.test_client()
    visitor.get("/enter", query_string={"code": sharing_of(app).codes.code_of(role)})
    shown = {path: visitor.get(path, headers={"Accept": "text/html"}).text for path in paths}
    found = {path: other_words(read_text(html)) for path, html in shown.items()}
    assert {path: words for path, words in found.items() if words} == {}
    assert 'id="grid"' in shown["/"]
