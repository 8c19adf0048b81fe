"""What a person types to find images: words of their prompts and titles, or the beginning of a name.

Rare words are found by the index of trigrams. When it has too many answers to sort, the images are gone
through by time instead, as such words are met often.
"""

from peewee import SQL, Expression

from webapp.models import Image, db

MOST_CANDIDATES = 10_000
MOST_TRIGRAMS = 1_000
_NAMES = (Image.name, Image.media_key, Image.workflow_id)
_MATCHES = """SELECT image.id FROM image_text JOIN veo3_image_generations AS image
    ON image.rowid = image_text.rowid WHERE image_text MATCH ?"""
_LAST = chr(0x10FFFF)


def find_candidates(text: str) -> list[str] | None:
    """The ids of all images that `text` means; None when they are more than can be sorted in time."""
    found = _with_words(text.split())
    if found is None:
        return None
    found |= _with_name(text)
    return list(found) if len(found) <= MOST_CANDIDATES else None


def has_words(text: str) -> Expression | None:
    """The condition that all words of `text` stand in prompt or title, as a question to the index; None
    when it cannot be asked."""
    asked = _query(text.split())
    return Image.id.in_(SQL(f"({_MATCHES})", [asked])) if asked else None


def mentions(prompt: str | None, title: str | None, text: str) -> bool:
    """Whether every word of `text` stands in a prompt or title; for SQL."""
    words = f"{prompt or ''}\n{title or ''}".lower()
    return all(word in words for word in text.lower().split())


def begins_name(text: str) -> Expression:
    """The condition that a name, media key or workflow id begins with `text`, in any case."""
    first, *others = [field.collate("NOCASE").between(text, text + _LAST) for field in _NAMES]
    return first | others[0] | others[1]


def _with_words(words: list[str]) -> set[str] | None:
    asked = _query(words)
    if asked is None or _is_more_than_can_be_sorted(asked):
        return None
    return {image_id for (image_id,) in db.execute_sql(_MATCHES, (asked,)).fetchall()}


def _is_more_than_can_be_sorted(asked: str) -> bool:
    counted = "SELECT COUNT(*) FROM (SELECT 1 FROM image_text WHERE image_text MATCH ? LIMIT ?)"
    return db.execute_sql(counted, (asked, MOST_CANDIDATES + 1)).fetchone()[0] > MOST_CANDIDATES


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
        (word.lower(), word.lower() + _LAST, MOST_TRIGRAMS + 1),
    ).fetchall()
    if len(rows) > MOST_TRIGRAMS:
        return None
    terms = [term for (term,) in rows] or [word + _LAST]  # which stands nowhere
    return f"({' OR '.join(map(_quoted, terms))})"


def _with_name(text: str) -> set[str]:
    rows = Image.select(Image.id).where(begins_name(text)).limit(MOST_CANDIDATES + 1)
    return {image_id for (image_id,) in rows.tuples()}


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


db.register_function(mentions, "mentions", 3)
