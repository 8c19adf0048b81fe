"""Search as people type it: the grammar, and what a text finds on any shelf."""

import sqlite3
import unicodedata
from contextlib import closing
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from webapp import store
from webapp.database.base import db
from webapp.database.folding import fold
from webapp.database.models import Download, Image, Run
from webapp.database.states import DownloadState, RunKind
from webapp.store import profiles
from webapp.store.choices import favourites
from webapp.store.gallery import counts, images, search, selections
from webapp.store.gallery.filters import FileState, Filter, Selection, Sort, matching
from webapp.store.gallery.query import (
    Complaint,
    Field,
    Flag,
    Parsed,
    Problem,
    Query,
    Term,
    as_words,
    parse,
)
from webapp.web.views.image_display import similar_words

PIECES = (
    *'ab"“„-: OR\n\u3000/1é',
    "OR ",
    "is:",
    "is:failed ",
    "seed:",
    "style:",
    "before:2026",
    "--",
    "-kite",
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
# What prompts and titles are made of, and words that occur in them, in some of them, or in none.
VOCABULARY = (
    "red kite",
    "café",
    "Cafe\u0301 noir",
    "CAFE",
    "Ёлка",
    "Ωδός",
    "phở",
    "夜の海",
    "fox",
    "-x",
    '5" OR',
)
WORDS = (
    "kite",
    "red",
    "RED kite",
    "cafe",
    "Café",
    "елка",
    "ωδος",
    "pho",
    "夜",
    "の海",
    "re",
    "x",
    "zeppelin",
    "-x",
)
NAMES = ("key-3", "NAME-1", "flow-", "name-1")
STATES = ("metadata", "done", "queued", "failed", "gone", "hidden", "damaged", "changed", "hidden failed")
PROJECTS = {"project-a": "Red things", "project-b": "Été 2026"}


@pytest.fixture(params=["few matches", "more matches than can be sorted"])
def shelf(tmp_path, request, monkeypatch):
    """Images in every state, whose prompts and titles an example chooses."""
    if request.param != "few matches":
        monkeypatch.setattr(search, "MAX_CANDIDATES", 2)
        monkeypatch.setattr(search, "MAX_TRIGRAMS", 1)
    store.open_database(tmp_path / "flowshelf.sqlite3")
    with store.connection():
        owner = profiles.add_profile("Ada", ("ASSET_MANAGER",)).id
        run = Run.create(id="run", profile=owner, kind=RunKind.DOWNLOAD, started_at="x")
        for remote_id, title in PROJECTS.items():
            db.execute_sql(
                "INSERT INTO project (profile_id, remote_id, title, empty_count) VALUES (?, ?, ?, 0)",
                (owner, remote_id, title),
            )
        for number in range(18):
            add_image(number, owner, run)
        favourites.mark(Selection(tuple(f"{number:032x}" for number in range(0, 18, 5))))
        yield


def add_image(number: int, owner: str, run: Run) -> None:
    state = STATES[number % len(STATES)]
    day = f"202{5 + number % 2}-{number % 11 + 1:02}-{number % 27 + 1:02}T10:00:00.000000Z"
    has_file = state in ("done", "damaged", "changed")
    image = Image.create(
        id=f"{number:032x}",
        profile_id=owner,
        name=f"name-{number}",
        media_key=f"Key-{number}",
        workflow_id=f"flow-{number}",
        created_at=day,
        kind=(None, "generated", "uploaded")[number % 3],
        model_name=(None, "GEM_PIX", "GEM_PIX_2", "IMAGEN_3_5")[number % 4],
        seed=number % 5 or None,
        project_id=(None, *PROJECTS)[number % 3],
        local_path=f"{number}.jpg" if has_file else None,
        size_bytes=1000 if has_file else None,
        downloaded_at=day if has_file else None,
        gone_upstream_at=day if state == "gone" else None,
        hidden_at=day if "hidden" in state else None,
        damaged_at=day if state == "damaged" else None,
        changed_sha256="0" * 64 if state == "changed" else None,
    )
    if "queued" in state or "failed" in state:
        Download.create(image=image, profile_id=owner, run=run, state=DownloadState(state.split()[-1]))


def terms(texts: tuple[str, ...] = (*WORDS, *NAMES)) -> st.SearchStrategy[Term]:
    values = {
        None: st.sampled_from(texts),
        Field.MODEL: st.sampled_from(["Nano Banana", "nano", "gem_pix-2", "nothing"]),
        Field.PROJECT: st.sampled_from(["project-a", "ete", "e", "nothing"]),
        Field.KIND: st.sampled_from(["generated", "uploaded"]),
        Field.IS: st.sampled_from(list(Flag)),
        Field.BEFORE: st.sampled_from(["2026", "2025-06", "2026-03-05"]),
        Field.AFTER: st.sampled_from(["2026", "2025-06", "2026-03-05"]),
        Field.SEED: st.sampled_from(["1", "2", "-3"]),
    }
    return st.one_of(
        [st.builds(Term, value.map(str), st.just(field), st.booleans()) for field, value in values.items()]
        + [st.builds(Term, values[None])] * 4
    )


def queries(term: st.SearchStrategy[Term]) -> st.SearchStrategy[Query]:
    clauses = st.lists(st.lists(term, min_size=1, max_size=3).map(tuple), max_size=4)
    return st.builds(Query, clauses.map(tuple))


WORDED = st.builds(Term, st.sampled_from((*WORDS, *NAMES)), st.none(), st.booleans())
QUERIES = st.one_of(queries(terms()), queries(WORDED))
CONTENTS = st.lists(
    st.tuples(*[st.one_of(st.none(), st.lists(st.sampled_from(VOCABULARY), max_size=2).map(" ".join))] * 2),
    min_size=18,
    max_size=18,
)
RED_KITES = [("red kite", None)] * 18
FILTERS = st.builds(
    Filter,
    state=st.one_of(st.none(), st.sampled_from(FileState)),
    kind=st.one_of(st.none(), st.just("uploaded")),
    since=st.one_of(st.none(), st.just("2025-05-05")),
    searches_titles=st.booleans(),
    sort=st.sampled_from(Sort),
)


def fill(contents: list[tuple[str | None, str | None]]) -> list[Image]:
    with store.transaction():
        for number, (prompt, title) in enumerate(contents):
            Image.update(prompt=prompt, title=title).where(Image.id == f"{number:032x}").execute()
    return list(Image.select().order_by(Image.id))


def plain(text: str | None) -> str:
    """The specification of folding, for the words of these tests."""
    parts = unicodedata.normalize("NFD", (text or "").lower().replace("ς", "σ"))
    return "".join(part for part in parts if unicodedata.category(part) != "Mn" or part > "\u3000")


def state_of(image: Image) -> str:
    return STATES[int(image.name.removeprefix("name-")) % len(STATES)]


def has_flag(image: Image, flag: str) -> bool:
    state = state_of(image).split()[-1]
    has_file = state in ("done", "damaged", "changed")
    match flag:
        case "generated" | "uploaded":
            return image.kind == flag
        case "downloaded" | "done":
            return has_file
        case "pending":
            return state == "metadata" or state_of(image) == "hidden"
        case "active":
            return state == "queued"
        case "hidden":
            return "hidden" in state_of(image)
    return image.favourite_at is not None if flag == "favourite" else state == flag


def holds(term: Term, image: Image, filter_: Filter, is_sole: bool) -> bool:
    """The specification: whether a term is true of an image."""
    models = {"Nano Banana": ["GEM_PIX"], "nano": ["GEM_PIX", "GEM_PIX_2"], "gem_pix-2": ["GEM_PIX_2"]}
    projects = {"project-a": ["project-a"], "ete": ["project-b"], "e": ["project-a", "project-b"]}
    match term.field:
        case Field.MODEL:
            found = image.model_name in models.get(term.text, [])
        case Field.PROJECT:
            found = image.project_id in projects.get(term.text, [])
        case Field.KIND | Field.IS:
            found = has_flag(image, term.text)
        case Field.BEFORE:
            found = image.created_at < term.text
        case Field.AFTER:
            found = image.created_at >= term.text
        case Field.SEED:
            found = image.seed == int(term.text)
        case _:
            text = term.text
            title = image.title if filter_.searches_titles else ""
            names = (image.name, image.media_key, image.workflow_id) if is_sole else ()
            found = plain(text) in f"{plain(image.prompt)}\n{plain(title)}" or any(
                name.lower().startswith(text.lower()) for name in names
            )
    return found != term.is_negated


def is_required(clause: tuple[Term, ...]) -> bool:
    return len(clause) == 1 and not clause[0].field and not clause[0].is_negated


def is_meant(filter_: Filter, image: Image) -> bool:
    """The specification: whether a filter selects an image."""
    clauses = parse(filter_.text).query.clauses
    has_one = sum(map(is_required, clauses)) == 1
    asks_for_hidden = filter_.state is FileState.HIDDEN or any(
        term == Term("hidden", Field.IS) for clause in clauses for term in clause
    )
    return (
        (asks_for_hidden or "hidden" not in state_of(image))
        and (filter_.state is None or has_flag(image, filter_.state))
        and filter_.kind in (None, image.kind)
        and image.created_at >= (filter_.since or "")
        and (filter_.sort is not Sort.DOWNLOADED or image.downloaded_at is not None)
        and (filter_.sort is not Sort.FAVOURITED or image.favourite_at is not None)
        and all(
            any(holds(term, image, filter_, has_one or not is_required(clause)) for term in clause)
            for clause in clauses
        )
    )


# The grammar


@given(text=TEXTS)
def test_every_text_is_a_query_that_is_printed_and_read_back(text):
    query = parse(text).query
    assert parse(str(query)) == Parsed(query)


@given(query=QUERIES)
def test_every_query_can_be_typed(query):
    assert parse(str(query)) == Parsed(query)


@given(words=st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), max_size=5))
def test_the_words_of_a_prompt_can_be_searched_for_as_they_stand(words):
    asked = parse(as_words(" ".join(words)))
    assert not asked.complaints
    assert all(is_required(clause) for clause in asked.query.clauses)


@pytest.mark.parametrize(
    ("text", "printed", "complaints"),
    [
        ("red  kite", "red kite", []),
        ('"red kite" -number', '"red kite" -number', []),
        ("“red kite” -„two words“", '"red kite" -"two words"', []),
        ("kite OR dragon or", "kite OR dragon or", []),
        ('https://flow.google 16:9 --ar a-b - 5"', 'https://flow.google 16:9 --ar a-b - 5"', []),
        ("MODEL:nano Is:Failed", "model:nano is:failed", []),
        ('project:"Red things"', 'project:"Red things"', []),
        ("OR kite OR", "kite", [Complaint(Problem.LONELY_OR, "OR")]),
        ("seed:abc", '"seed:abc"', [Complaint(Problem.NO_NUMBER, "abc", "seed")]),
        (
            "seed:99999999999999999999",
            '"seed:99999999999999999999"',
            [Complaint(Problem.NO_NUMBER, "99999999999999999999", "seed")],
        ),
        ("before:2026-02-30", '"before:2026-02-30"', [Complaint(Problem.NO_DATE, "2026-02-30", "before")]),
        ("is:blue", '"is:blue"', [Complaint(Problem.UNKNOWN_VALUE, "blue", "is")]),
        ("style:anime", '"style:anime"', [Complaint(Problem.UNKNOWN_FIELD, "anime", "style")]),
        ("model: kite", "kite", [Complaint(Problem.NO_VALUE, "", "model")]),
        ('""', "", [Complaint(Problem.NO_VALUE, '""')]),
        ('"red ki', '"red ki"', [Complaint(Problem.OPEN_QUOTE, "red ki")]),
    ],
)
def test_what_is_not_understood_is_searched_for_as_a_word_and_named(text, printed, complaints):
    typed = parse(text)
    assert str(typed.query) == printed
    assert list(typed.complaints) == complaints


# What a text finds


@given(contents=CONTENTS, query=QUERIES, filter_=FILTERS)
@example(contents=RED_KITES, query=parse("-kite").query, filter_=Filter())
@example(contents=RED_KITES, query=parse("kite -key-3").query, filter_=Filter())
@example(contents=RED_KITES, query=parse("key-3 OR fox zeppelin").query, filter_=Filter())
@example(contents=RED_KITES, query=parse("is:hidden OR kite is:failed").query, filter_=Filter())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_query_finds_exactly_the_images_of_which_it_is_true(shelf, contents, query, filter_):
    everything = fill(contents)
    asked = replace(filter_, text=str(query))
    meant = {image.name for image in everything if is_meant(asked, image)}
    assert {image.name for image in matching(asked)} == meant
    assert {image.name for image in matching(asked, as_whole=True)} == meant
    assert {image.name for image in images.list_page(asked, limit=20).images} == meant
    assert counts.count_all(asked).total == len(meant)
    first = counts.count_first(asked)
    assert first.total == len(meant) or first.is_capped
    assert len(selections.list_ids(Selection(everything=asked))) == len(meant)


@given(contents=CONTENTS, query=QUERIES, order=st.randoms())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_order_of_the_terms_does_not_matter(shelf, contents, query, order):
    fill(contents)
    clauses = [tuple(order.sample(clause, len(clause))) for clause in query.clauses]
    order.shuffle(clauses)
    asked, other = (Filter(text=str(each)) for each in (query, Query(tuple(clauses))))
    assert set(matching(asked)) == set(matching(other))


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=3, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_folded_text_is_its_own_fold(text):
    assert fold(fold(text)) == fold(text)


LETTERS = [chr(code) for block in (range(0xC0, 0x530), range(0x1E00, 0x2000)) for code in block]


def test_every_letter_with_diacritics_is_indexed_without_them_whoever_writes_it(tmp_path):
    store.open_database(tmp_path / "flowshelf.sqlite3")
    columns = "id, profile_id, name, workflow_id, media_key, created_at, prompt"
    row = f"INSERT INTO veo3_image_generations ({columns}) VALUES (?1, 'p', ?1, 'w', 'k', '2026', ?2)"
    with closing(sqlite3.connect(tmp_path / "flowshelf.sqlite3")) as other_program, other_program:
        for letter in LETTERS:
            values = (f"{ord(letter)}", f"q{letter}xyz")
            other_program.execute(row, values)
        other_program.execute("UPDATE veo3_image_generations SET prompt = prompt || ' thé' WHERE id = '233'")
    with store.connection():
        for letter in LETTERS:
            found = [image.id for image in matching(Filter(text=f'"q{letter}xyz"'))]
            assert f"{ord(letter)}" in found
            assert found == [image.id for image in matching(Filter(text=f'"{fold(f"q{letter}xyz")}"'))]
        assert [image.id for image in matching(Filter(text="qexyz the"))] == ["233"]
        db.execute_sql("DELETE FROM veo3_image_generations")
        assert db.execute_sql("SELECT COUNT(*) FROM image_trigrams").fetchone() == (0,)


# What is said about it


@pytest.fixture
def said(client, profile_id, work):
    """What the page says about a text, of images that all have the prompt “a red kite” but one."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        Image.update(prompt="a red kite", title=None).execute()
        Image.update(prompt="a fox").where(Image.id == Image.select(Image.id).limit(1)).execute()

    def ask(text: str, **filters: str) -> str:
        page = BeautifulSoup(client.get("/grid", query_string={"q": text} | filters).text, "html.parser")
        notes = page.select_one("#search-notes")
        return " ".join(notes.get_text().split()) if notes else ""

    return ask


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed:abc", "“seed:abc” is not a number. It was searched for as a word."),
        ("before:soon", "“before:soon” is not a date like 2026-11-03, 2026-11 or 2026."),
        ("is:blue", "“is:blue” is unknown: “is:” takes downloaded, pending, active, failed, gone, damaged"),
        ("kind:film", "“kind:film” is unknown: “kind:” takes generated or uploaded. It was searched for"),
        ("style:anime", "“style:” is not a filter. “style:anime” was searched for as a word."),
        ("red Model:", "“model:” was left out, because nothing follows it. Write it like model:banana."),
        ("red OR", "“OR” was left out, because it stands between two words."),
        ('"red ki', "The quotation mark before “red ki” is not closed."),
        ('"" red', '“""” was left out, because it holds no word.'),
    ],
)
def test_the_page_says_what_it_did_not_understand(said, text, sentence):
    assert sentence in said(text)


def test_the_page_says_which_word_no_image_has_and_how_many_match_without_it(said, client):
    assert said("red kite") == ""
    assert said("red zeppelin kite") == "No image has “zeppelin”. Without it 69 match."
    assert said("fox zeppelin") == "No image has “zeppelin”. Without it 1 matches."
    assert said('red "kite a"') == "No image has “kite a”. Without it 69 match."
    assert said("red zeppelin qwertz") == "No image has “zeppelin” or “qwertz”. Without them 69 match."
    assert said("zeppelin seed:-5") == "No image matches “zeppelin” or “seed:-5”. Without them 70 match."
    assert said("fox kite") == "Without “fox” 69 match. Without “kite” 1 matches."
    assert said("red model:none") == "No image matches “model:none”. Without it 69 match."
    assert said("fox zeppelin", kind="none") == ""
    page = BeautifulSoup(client.get("/?q=zeppelin+fox&sort=oldest").text, "html.parser")
    link = page.select_one("#search-notes a")["href"]
    assert link == "/?q=fox&sort=oldest"
    assert len(BeautifulSoup(client.get(link).text, "html.parser").select("li.card")) == 1


def test_a_list_of_what_a_search_found_holds_the_same_images(said, client):
    found = client.get("/metadata.json", query_string={"q": "kite OR fox -red"}).json
    assert [image["prompt"] for image in found] == ["a fox"]
    response = client.post("/selection/names", data={"everything": "1", "q": '-"red kite"'})
    assert len(response.text.split()) == 1


def test_a_search_for_a_similar_prompt_takes_its_words_as_they_stand(said):
    asked = parse(similar_words('A -- "model:x" OR is:hidden, seed'))
    assert (asked.complaints, {term.field for term in asked.query.terms}) == ((), {None})
