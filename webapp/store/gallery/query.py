"""The grammar of the search box: text to conditions, and conditions to text. It knows no images.

    red kite            all of the words
    "red kite"          the words next to each other
    -number             not this
    kite OR dragon      one of them; OR binds closer than the blank between other terms
    model:nano          a field; in a value with blanks these stand in quotation marks

Every text is a query. What cannot be understood is searched for as a word, or left out if nothing is to be
searched for, and a complaint says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache


class Field(StrEnum):
    MODEL = "model"
    PROJECT = "project"
    KIND = "kind"
    IS = "is"
    BEFORE = "before"
    AFTER = "after"
    SEED = "seed"


class Flag(StrEnum):
    """What can follow `is:`."""

    DOWNLOADED = "downloaded"
    PENDING = "pending"
    ACTIVE = "active"
    FAILED = "failed"
    GONE = "gone"
    DAMAGED = "damaged"
    CHANGED = "changed"
    HIDDEN = "hidden"
    GENERATED = "generated"
    UPLOADED = "uploaded"
    FAVOURITE = "favourite"


class Problem(StrEnum):
    """Why something was not understood. The first four: it is searched for as a word."""

    UNKNOWN_FIELD = "unknown field"
    UNKNOWN_VALUE = "unknown value"
    NO_DATE = "no date"
    NO_NUMBER = "no number"
    NO_VALUE = "no value"
    LONELY_OR = "lonely OR"
    OPEN_QUOTE = "open quote"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What was not understood: the text as it was typed, and its field if it has one."""

    problem: Problem
    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or several words that stand next to each other; with a `field` its value."""

    text: str
    field: Field | None = None
    is_negated: bool = False

    def __str__(self) -> str:
        name = f"{self.field}:" if self.field else ""
        return f"{'-' if self.is_negated else ''}{name}{self._value()}"

    def _value(self) -> str:
        if any(character.isspace() for character in self.text) or not self._reads_back():
            return f'"{self.text}"'
        return self.text

    def _reads_back(self) -> bool:
        """Whether the text alone is read as this term."""
        if self.text == _OR or (self.is_negated and self.text.startswith("-")):
            return False
        return bool(self.field) or not (_NEGATED.match(self.text) or _FIELD.match(self.text))


# The terms of which at least one holds.
Clause = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """All of the clauses hold."""

    clauses: tuple[Clause, ...] = ()

    def __str__(self) -> str:
        """The text that `parse` reads as this query."""
        return " ".join(f" {_OR} ".join(map(str, clause)) for clause in self.clauses)

    @property
    def terms(self) -> Iterator[Term]:
        return (term for clause in self.clauses for term in clause)

    @property
    def asks_for_hidden(self) -> bool:
        return any(is_hidden(term) and not term.is_negated for term in self.terms)


@dataclass(frozen=True, slots=True)
class Parsed:
    query: Query
    complaints: tuple[Complaint, ...] = ()


_OR = "OR"
_FIELDS = frozenset(map(str, Field))
_VALUES = {Field.KIND: {Flag.GENERATED, Flag.UPLOADED}, Field.IS: set(Flag)}
# Telephones type the curly ones.
_QUOTES = '"“”„'
_NEGATED = re.compile(r"-(?=[^\s-])")
# Not the beginning of a URL.
_FIELD = re.compile(r"([A-Za-z]+):(?!//)")
_BLANKS = re.compile(r"\s*")
_BARE = re.compile(r"\S*")
_QUOTED = re.compile(rf"[{_QUOTES}]([^{_QUOTES}]*)(?:([{_QUOTES}])|$)")
_DAY = re.compile(r"[1-9][0-9]{3}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
# What SQLite can compare with an integer.
_MAX_SEED = 2**63 - 1


def is_hidden(term: Term) -> bool:
    return term.field is Field.IS and term.text == Flag.HIDDEN


def first_day(period: str) -> date:
    """The first day of a day, month or year. Raises ValueError if there is no such period."""
    if not _DAY.fullmatch(period):
        raise ValueError(f"{period!r} is no day, month or year")
    return date.fromisoformat(period + "-01-01"[len(period) - 4 :])


def as_words(text: str) -> str:
    """The text that searches for the words of `text` and for nothing else."""
    return str(Query(tuple((Term(word),) for word in _unquoted(text).split())))


@lru_cache(maxsize=256)
def parse(text: str) -> Parsed:
    """The conditions that a text means, and what in it was not understood."""
    complaints: list[Complaint] = []
    clauses: list[Clause] = []
    joins = False
    for token in _tokens(text, complaints):
        if token is None:
            if joins or not clauses:
                complaints.append(Complaint(Problem.LONELY_OR, _OR))
            joins = bool(clauses)
        elif joins:
            clauses[-1] += (token,)
            joins = False
        else:
            clauses.append((token,))
    if joins:
        complaints.append(Complaint(Problem.LONELY_OR, _OR))
    return Parsed(Query(tuple(clauses)), tuple(dict.fromkeys(complaints)))


def _tokens(text: str, complaints: list[Complaint]) -> Iterator[Term | None]:
    """The terms of a text; None for an OR."""
    at = _end(_BLANKS, text, 0)
    while at < len(text):
        start, is_negated = at, bool(_NEGATED.match(text, at))
        at += is_negated
        named = _FIELD.match(text, at)
        value, end, is_bare = _value(text, named.end() if named else at, complaints)
        if is_bare and text[start:end] == _OR:
            yield None
        elif named and (value or named[1].lower() in _FIELDS):
            yield from _field(named[1], value, is_negated, complaints)
        elif value or named:
            yield Term(_unquoted(text[at:end]) if named else value, None, is_negated)
        else:
            complaints.append(Complaint(Problem.NO_VALUE, text[start:end]))
        at = _end(_BLANKS, text, end)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, complaints: list[Complaint]) -> tuple[str, int, bool]:
    """The word or the quoted words that begin at a place, where they end, and whether it is a bare word."""
    quoted = _QUOTED.match(text, at)
    if quoted is None:
        end = _end(_BARE, text, at)
        return text[at:end], end, True
    value = " ".join(quoted[1].split())
    if value and not quoted[2]:
        complaints.append(Complaint(Problem.OPEN_QUOTE, value))
    return value, quoted.end(), False


def _field(name: str, value: str, is_negated: bool, complaints: list[Complaint]) -> Iterator[Term]:
    """The term of a field, or the word that it is read as."""
    problem = _problem_of(name.lower(), value)
    if problem is None:
        field = Field(name.lower())
        yield Term(_normal(field, value), field, is_negated)
        return
    complaints.append(Complaint(problem, value, name))
    if problem is not Problem.NO_VALUE:
        yield Term(_unquoted(f"{name}:{value}"), None, is_negated)


def _problem_of(name: str, value: str) -> Problem | None:
    if name not in _FIELDS:
        return Problem.UNKNOWN_FIELD
    if not value:
        return Problem.NO_VALUE
    match Field(name):
        case Field.KIND | Field.IS as field:
            return None if value.lower() in _VALUES[field] else Problem.UNKNOWN_VALUE
        case Field.BEFORE | Field.AFTER:
            return None if _is_period(value) else Problem.NO_DATE
        case Field.SEED:
            is_number = re.fullmatch(r"-?[0-9]{1,19}", value) and abs(int(value)) <= _MAX_SEED
            return None if is_number else Problem.NO_NUMBER
        case _:
            return None


def _is_period(value: str) -> bool:
    try:
        return bool(first_day(value))
    except ValueError:
        return False


def _normal(field: Field, value: str) -> str:
    if field is Field.SEED:
        return str(int(value))
    return value.lower() if field in (Field.KIND, Field.IS) else value


def _unquoted(text: str) -> str:
    return " ".join("".join(character for character in text if character not in _QUOTES).split())
