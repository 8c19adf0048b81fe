"""The conditions that the terms of a query mean."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from functools import reduce
from operator import or_

from peewee import SQL, Expression, Node, TextField, fn

from webapp.database.models import Image
from webapp.store.gallery import names, search
from webapp.store.gallery.query import Clause, Field, Flag, Query, Term, first_day
from webapp.store.gallery.search import Words, are_few, listed
from webapp.times import day_bounds


@dataclass(frozen=True, slots=True)
class Reading:
    """How a query is read: whether its words may stand in titles, whether the caller reads all images that
    match (`as_whole`), what each flag means, and in which time zone its days are."""

    in_titles: bool
    as_whole: bool
    flagged: Callable[[Flag], Node]
    zone: tzinfo | None


def conditions(query: Query, reading: Reading) -> list[Node]:
    """The conditions of a query, all of which an image has to meet."""
    words, others = search.split(query)
    found: list[Node] = [_clause(clause, reading) for clause in others]
    return [_words(words, reading), *found] if words != Words() else found


def _words(words: Words, reading: Reading) -> Expression:
    return search.condition(words, in_titles=reading.in_titles, as_whole=reading.as_whole)


def _clause(clause: Clause, reading: Reading) -> Node:
    return reduce(or_, (_signed(term, reading) for term in clause))


def _signed(term: Term, reading: Reading) -> Node:
    meant = _term(term, reading)
    # An image without a kind is not one of another kind, but `-kind:uploaded` means it, too.
    return fn.COALESCE(meant, 0) == 0 if term.is_negated else meant


def _term(term: Term, reading: Reading) -> Node:
    if term.field is None:
        return _words(Words((term.text,)), reading)
    if term.field is Field.IS:
        return reading.flagged(Flag(term.text))
    if term.field in (Field.BEFORE, Field.AFTER):
        start, _ = day_bounds(str(first_day(term.text)), reading.zone)
        return Image.created_at < start if term.field is Field.BEFORE else Image.created_at >= start
    return _MEANINGS[term.field](term.text)


def _is_one_of(field: TextField, values: tuple[str, ...]) -> Node:
    """The condition that a column has one of some values. With many images SQLite must not look them up by
    the index of the column: it would have to sort them. Then it reads along the time."""
    if not values:
        return SQL("0")
    if len(values) == 1:
        return field == values[0]
    meant = field.in_(listed(values))
    return meant if are_few(Image.select().where(meant)) else fn.COALESCE(field, "").in_(listed(values))


_MEANINGS: dict[Field, Callable[[str], Node]] = {
    Field.MODEL: lambda text: _is_one_of(Image.model_name, names.find_models(text)),
    Field.PROJECT: lambda text: _is_one_of(Image.project_id, names.find_projects(text)),
    Field.KIND: lambda text: Image.kind == text,
    Field.SEED: lambda text: Image.seed == int(text),
}
