"""The words of a query: those of prompts and titles, or the beginning of a name.

Rare words are looked up in the full-text index, whose matches are then sorted. A common word has too many
matches to sort; then the images are read in order of time and each is checked, because matches come up soon.

A name, media key or workflow id is looked for where one word stands alone: as the only required word, in an
OR, or after a minus.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from peewee import SQL, Column, Expression, Select, fn

from webapp.database.base import db
from webapp.database.folding import fold
from webapp.database.models import Image
from webapp.store.gallery.query import Clause, Query
from webapp.store.gallery.reuse import reused

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
# Between the words that SQL hands to `mentions`: no word contains it.
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rowids of images that may match. `is_exact`: all of them do."""

    rowids: frozenset[int]
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Words:
    """The clauses of a query that the index can be asked for at once: words that are all required, words of
    which one is (`any_of`), and words that are excluded."""

    required: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """The required word if it may begin a name."""
        return self.required[0] if len(self.required) == 1 else None


def split(query: Query) -> tuple[Words, tuple[Clause, ...]]:
    """The words of a query and its other clauses. Excluded words belong to the others when nothing is
    required: the index cannot list what does not have a word."""
    worded = [clause for clause in query.clauses if _is_worded(clause)]
    others = tuple(clause for clause in query.clauses if not _is_worded(clause))
    any_of = tuple(tuple(term.text for term in clause) for clause in worded if len(clause) > 1)
    single = [clause[0] for clause in worded if len(clause) == 1]
    required = tuple(term.text for term in single if not term.is_negated)
    excluded = [term for term in single if term.is_negated]
    if not required and not any_of:
        return Words(), (*others, *((term,) for term in excluded))
    return Words(required, any_of, tuple(term.text for term in excluded)), others


def _is_worded(clause: Clause) -> bool:
    has_fields = any(term.field for term in clause)
    return not has_fields and (len(clause) == 1 or not any(term.is_negated for term in clause))


def is_selective(query: Query, *, in_titles: bool = True) -> bool:
    """Whether the words of a query limit it to images that can be looked up and sorted."""
    words, _ = split(query)
    return words != Words() and find_candidates(words, in_titles=in_titles) is not None


def has_too_many(query: Query, *, in_titles: bool = True) -> bool:
    """Whether a query consists of words only, and more images match than can be sorted, or its required words
    cannot be looked up."""
    words, others = split(query)
    if words == Words() or others or find_candidates(words, in_titles=in_titles) is not None:
        return False
    return not words.excluded or (_query(words, in_titles) is not None and not _list_named(words))


def find_candidates(words: Words, *, in_titles: bool = True) -> Candidates | None:
    """The images that may match; None when there are too many to sort.

    Without `in_titles` the words have to occur in the prompt.
    """
    return reused((words, in_titles, MAX_CANDIDATES, MAX_TRIGRAMS), lambda: _find(words, in_titles))


def condition(words: Words, *, in_titles: bool, as_whole: bool) -> Expression:
    """The condition that an image has these words. `as_whole`: the caller reads all images that match."""
    candidates = find_candidates(words, in_titles=in_titles)
    if candidates is not None:
        found = ROWID.in_(listed(candidates.rowids))
        return found if candidates.is_exact else found & _checked(words, in_titles)
    by_index = _by_index(words, in_titles) if as_whole else None
    return _checked(words, in_titles) if by_index is None else by_index


def are_few(rows: Select) -> bool:
    """Whether a query finds at most MAX_CANDIDATES rows: these are quickly looked up, counted and sorted."""
    sql, values = rows.sql()
    found = reused((sql, *values, MAX_CANDIDATES), lambda: rows.limit(MAX_CANDIDATES + 1).count())
    return bool(found <= MAX_CANDIDATES)


def listed(ids: Iterable[str | int]) -> SQL:
    """Any number of ids as one variable, because the number of variables in a statement is limited."""
    return SQL("(SELECT value FROM json_each(?))", [json.dumps(list(ids))])


def begins_name(text: str) -> Expression:
    """The condition that a name, media key or workflow id begins with `text`, ignoring case."""
    return _any(field.collate("NOCASE").between(text, text + _LAST) for field in _NAMES)


def mentions(prompt: str | None, title: str | None, words: str) -> bool:
    """Whether prompt and title together contain every one of `words`, which are folded. SQL can call it."""
    text = fold(f"{prompt or ''}{_SEPARATOR}{title or ''}")
    return all(word in text for word in words.split(_SEPARATOR))


def _checked(words: Words, in_titles: bool) -> Expression:
    """The condition that an image has the words, checked image by image."""
    conditions = []
    if words.required:
        required = _contains(words.required, in_titles)
        conditions.append(required | begins_name(words.name) if words.name else required)
    conditions += [_any(_has(text, in_titles) for text in texts) for texts in words.any_of]
    conditions += [~_has(text, in_titles) for text in words.excluded]
    return reduce(and_, conditions)


def _has(text: str, in_titles: bool) -> Expression:
    return _contains((text,), in_titles) | begins_name(text)


def _contains(words: Sequence[str], in_titles: bool) -> Expression:
    folded = _SEPARATOR.join(map(fold, words))
    # The first half spares the call into Python for the many images that have neither.
    if in_titles:
        has_any = Image.prompt.is_null(False) | Image.title.is_null(False)
        return has_any & fn.mentions(Image.prompt, Image.title, folded)
    return Image.prompt.is_null(False) & fn.mentions(Image.prompt, None, folded)


def _by_index(words: Words, in_titles: bool) -> Expression | None:
    """The condition by the full-text index; None when the index cannot be asked."""
    query = _query(words, in_titles)
    if query is None or (_list_named(words) and words != Words(words.required)):
        return None
    matches = ROWID.in_(SQL(f"({_MATCHES})", [query]))
    return matches | begins_name(words.name) if words.name else matches


def _find(words: Words, in_titles: bool) -> Candidates | None:
    rowids = _find_by_words(words, in_titles)
    if rowids is None:
        return None
    named = _list_named(words)
    rowids |= named
    is_exact = not named or words == Words(words.required)
    return Candidates(frozenset(rowids), is_exact) if len(rowids) <= MAX_CANDIDATES else None


def _find_by_words(words: Words, in_titles: bool) -> set[int] | None:
    query = _query(words, in_titles)
    if query is None:
        return None
    rows = db.execute_sql(f"{_MATCHES} LIMIT ?", (query, MAX_CANDIDATES + 1)).fetchall()
    return {rowid for (rowid,) in rows} if len(rows) <= MAX_CANDIDATES else None


def _list_named(words: Words) -> set[int]:
    """The images, MAX_CANDIDATES and one at most of each word, whose names begin with one of the words."""
    texts = [*filter(None, [words.name]), *(text for any_of in words.any_of for text in any_of)]
    return {rowid for text in (*texts, *words.excluded) for rowid in _find_by_name(text)}


def _find_by_name(text: str) -> Iterable[int]:
    return Image.select(ROWID).where(begins_name(text)).limit(MAX_CANDIDATES + 1).scalars()


def _query(words: Words, in_titles: bool) -> str | None:
    """The FTS5 query for the words; None when it would be too long."""
    required = _joined((_expression(text) for text in words.required), "AND")
    any_of = [_joined(map(_expression, texts), "OR") for texts in words.any_of]
    has = _joined((required, *any_of) if words.required else any_of, "AND")
    lacks = _joined(map(_expression, words.excluded), "OR") if words.excluded else None
    if has is None or (words.excluded and lacks is None):
        return None
    query = f"{has} NOT {lacks}" if lacks else has
    return query if in_titles else f"{{prompt}} : ({query})"


def _joined(expressions: Iterable[str | None], operator: str) -> str | None:
    found = []
    for expression in expressions:
        if expression is None:
            return None
        found.append(expression)
    return f"({f' {operator} '.join(found)})"


def _expression(word: str) -> str | None:
    """The FTS5 query for one word. For one or two characters, which the trigram index does not find itself,
    it lists all trigrams that begin with them; None when these are too many."""
    folded = fold(word)
    if len(folded) > 2:
        return _quoted(folded)
    rows = db.execute_sql(_LIST_TRIGRAMS, (folded, folded + _LAST, MAX_TRIGRAMS + 1)).fetchall()
    if len(rows) > MAX_TRIGRAMS:
        return None
    terms = [term for (term,) in rows] or [word + _LAST]  # a term that matches nothing
    return f"({' OR '.join(map(_quoted, terms))})"


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _any(conditions: Iterable[Expression]) -> Expression:
    return reduce(or_, conditions)


db.register_function(mentions, "mentions", 3)
