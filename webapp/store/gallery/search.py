"""What a person types to find images: words of prompts and titles, or the beginning of a name.

Rare words are looked up in the full-text index, whose matches are then sorted. A common word has too many
matches to sort; then the images are read in order of time and each is checked, because matches come up soon.
"""

import threading
from collections.abc import Iterable

from peewee import SQL, Column, Expression, fn

from webapp.database.base import db
from webapp.database.models import Image

MAX_CANDIDATES = 10_000
MAX_TRIGRAMS = 1_000
# SQLite finds a row by its rowid directly, and by our text id in two steps.
ROWID = Column(Image._meta.table, "rowid")
_NAMES = (Image.name, Image.media_key, Image.workflow_id)
# By hand, like all that follows on `image_text`: peewee has no model of FTS5's virtual tables.
_MATCHES = "SELECT rowid FROM image_text WHERE image_text MATCH ?"
_LIST_TRIGRAMS = "SELECT term FROM image_trigrams WHERE term >= ? AND term < ? LIMIT ?"
# Sorts after every other character.
_LAST = chr(0x10FFFF)
# The latest search of each thread; see `find_candidates`.
_cache = threading.local()


def find_candidates(text: str, *, in_titles: bool = True) -> list[int] | None:
    """The rowids of all images that match `text`; None when there are too many to sort.

    Without `in_titles` the words have to occur in the prompt.

    A request asks several times for the same text: for its page and for its counts. So the latest result of
    this thread is reused as long as nobody wrote to the database.
    """
    connection = db.connection()
    key = (text, in_titles, connection.total_changes, db.pragma("data_version"))
    if getattr(_cache, "connection", None) is not connection or _cache.key != key:
        _cache.connection, _cache.key, _cache.found = connection, key, _find(text, in_titles)
    return _cache.found


def has_words(text: str, *, in_titles: bool = True) -> Expression | None:
    """The condition that prompt or title contain all words of `text`, by the full-text index; None when the
    index cannot be queried for them."""
    query = _query(text.split(), in_titles)
    return ROWID.in_(SQL(f"({_MATCHES})", [query])) if query else None


def contains_words(text: str, *, in_titles: bool = True) -> Expression:
    """The condition that prompt or title contain all words of `text`, checked image by image."""
    # The first half spares the call into Python for the many images that have neither.
    if in_titles:
        has_any = Image.prompt.is_null(False) | Image.title.is_null(False)
        return has_any & fn.mentions(Image.prompt, Image.title, text)
    return Image.prompt.is_null(False) & fn.mentions(Image.prompt, None, text)


def mentions(prompt: str | None, title: str | None, text: str) -> bool:
    """Whether prompt and title together contain every word of `text`. SQL can call it."""
    words = f"{prompt or ''}\n{title or ''}".lower()
    return all(word in words for word in text.lower().split())


def begins_name(text: str) -> Expression:
    """The condition that a name, media key or workflow id begins with `text`, ignoring case."""
    first, *others = [field.collate("NOCASE").between(text, text + _LAST) for field in _NAMES]
    return first | others[0] | others[1]


def _find(text: str, in_titles: bool) -> list[int] | None:
    found = _find_by_words(text.split(), in_titles)
    if found is None:
        return None
    found |= _find_by_name(text)
    return list(found) if len(found) <= MAX_CANDIDATES else None


def _find_by_words(words: Iterable[str], in_titles: bool) -> set[int] | None:
    query = _query(words, in_titles)
    if query is None:
        return None
    rows = db.execute_sql(f"{_MATCHES} LIMIT ?", (query, MAX_CANDIDATES + 1)).fetchall()
    return {rowid for (rowid,) in rows} if len(rows) <= MAX_CANDIDATES else None


def _query(words: Iterable[str], in_titles: bool) -> str | None:
    """The FTS5 query for all of `words`; None when it would be too long."""
    expressions = []
    for word in words:
        expression = _expression(word)
        if expression is None:
            return None
        expressions.append(expression)
    query = " AND ".join(expressions)
    return query if in_titles or not query else f"{{prompt}} : ({query})"


def _expression(word: str) -> str | None:
    """The FTS5 query for one word. For one or two characters, which the trigram index does not find itself,
    it lists all trigrams that begin with them; None when these are too many."""
    if len(word) > 2:
        return _quoted(word)
    bounds = (word.lower(), word.lower() + _LAST, MAX_TRIGRAMS + 1)
    rows = db.execute_sql(_LIST_TRIGRAMS, bounds).fetchall()
    if len(rows) > MAX_TRIGRAMS:
        return None
    terms = [term for (term,) in rows] or [word + _LAST]  # a term that matches nothing
    return f"({' OR '.join(map(_quoted, terms))})"


def _find_by_name(text: str) -> set[int]:
    return set(Image.select(ROWID).where(begins_name(text)).limit(MAX_CANDIDATES + 1).scalars())


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


db.register_function(mentions, "mentions", 3)
