"""What a person types to find images: words of their prompts and titles, or the beginning of a name.

Rare words are found by the index of trigrams. When it has too many answers to sort, the images are gone
through by time instead, as such words are met often.
"""

import threading

from peewee import SQL, Column, Expression, fn

from webapp.database.models import Image, db

MAX_CANDIDATES = 10_000
MAX_TRIGRAMS = 1_000
# By their number: SQLite finds a row by it at once, and one by its id in two steps.
ROWID = Column(Image._meta.table, "rowid")
_NAMES = (Image.name, Image.media_key, Image.workflow_id)
_MATCHES = "SELECT rowid FROM image_text WHERE image_text MATCH ?"
_LAST = chr(0x10FFFF)
_asked = threading.local()


def find_candidates(text: str) -> list[int] | None:
    """The rowids of all images that `text` means; None when they are more than can be sorted in time."""
    # The page of an answer and its counts ask for the same; they share it while nobody writes in between.
    connection = db.connection()
    seen = (text, connection.total_changes, db.pragma("data_version"))
    if getattr(_asked, "by", None) is not connection or _asked.seen != seen:
        _asked.by, _asked.seen, _asked.found = connection, seen, _find(text)
    return _asked.found


def has_words(text: str) -> Expression | None:
    """The condition that all words of `text` stand in prompt or title, as a question to the index; None
    when it cannot be asked."""
    asked = _query(text.split())
    return ROWID.in_(SQL(f"({_MATCHES})", [asked])) if asked else None


def reads(text: str) -> Expression:
    """The condition that all words of `text` stand in prompt or title, image by image."""
    # Python is not asked of the many that have neither.
    has_any = Image.prompt.is_null(False) | Image.title.is_null(False)
    return has_any & fn.mentions(Image.prompt, Image.title, text)


def mentions(prompt: str | None, title: str | None, text: str) -> bool:
    """Whether every word of `text` stands in a prompt or title; for SQL."""
    words = f"{prompt or ''}\n{title or ''}".lower()
    return all(word in words for word in text.lower().split())


def begins_name(text: str) -> Expression:
    """The condition that a name, media key or workflow id begins with `text`, in any case."""
    first, *others = [field.collate("NOCASE").between(text, text + _LAST) for field in _NAMES]
    return first | others[0] | others[1]


def _find(text: str) -> list[int] | None:
    found = _with_words(text.split())
    if found is None:
        return None
    found |= _with_name(text)
    return list(found) if len(found) <= MAX_CANDIDATES else None


def _with_words(words: list[str]) -> set[int] | None:
    asked = _query(words)
    if asked is None:
        return None
    rows = db.execute_sql(f"{_MATCHES} LIMIT ?", (asked, MAX_CANDIDATES + 1)).fetchall()
    return {rowid for (rowid,) in rows} if len(rows) <= MAX_CANDIDATES else None


def _query(words: list[str]) -> str | None:
    """What FTS5 is asked for words; None when that is too much."""
    asked = [_expression(word) for word in words]
    return None if None in asked else " AND ".join(asked)


def _expression(word: str) -> str | None:
    """A word as FTS5 is asked for it: any three letters in a row find themselves, fewer all trigrams that
    begin with them. None when these are too many."""
    if len(word) > 2:
        return _quoted(word)
    rows = db.execute_sql(
        "SELECT term FROM image_trigrams WHERE term >= ? AND term < ? LIMIT ?",
        (word.lower(), word.lower() + _LAST, MAX_TRIGRAMS + 1),
    ).fetchall()
    if len(rows) > MAX_TRIGRAMS:
        return None
    terms = [term for (term,) in rows] or [word + _LAST]  # which stands nowhere
    return f"({' OR '.join(map(_quoted, terms))})"


def _with_name(text: str) -> set[int]:
    rows = Image.select(ROWID).where(begins_name(text)).limit(MAX_CANDIDATES + 1)
    return {rowid for (rowid,) in rows.tuples()}


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


db.register_function(mentions, "mentions", 3)
