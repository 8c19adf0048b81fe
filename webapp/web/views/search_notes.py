"""What a page says about a search: what was not understood, and which words no image has."""

from dataclasses import dataclass, replace

from webapp.store.gallery import misses
from webapp.store.gallery.filters import Filter
from webapp.store.gallery.misses import Miss
from webapp.store.gallery.query import Clause, Complaint, Flag, Problem, parse
from webapp.web.views.filter_parameters import filter_args, gallery_url, searchable_flags, words_listed
from webapp.web.views.formats import number

_AS_WORD = "It was searched for as a word."
_SENTENCES = {
    Problem.UNKNOWN_FIELD: "“{field}:” is not a filter. “{field}:{text}” was searched for as a word.",
    Problem.UNKNOWN_VALUE: f"“{{field}}:{{text}}” is unknown: “{{field}}:” takes {{values}}. {_AS_WORD}",
    Problem.NO_DATE: f"“{{field}}:{{text}}” is not a date like 2026-11-03, 2026-11 or 2026. {_AS_WORD}",
    Problem.NO_NUMBER: f"“{{field}}:{{text}}” is not a number. {_AS_WORD}",
    Problem.LONELY_OR: "“OR” was left out, because it stands between two words.",
    Problem.OPEN_QUOTE: "The quotation mark before “{text}” is not closed. All after it is one phrase.",
    Problem.NO_VALUE: "“{field}:” was left out, because nothing follows it. Write it like {example}.",
}
_NO_WORD = "“{text}” was left out, because it holds no word."
_EXAMPLES = {
    "model": "model:banana",
    "project": "project:fables",
    "kind": "kind:uploaded",
    "is": "is:downloaded",
    "before": "before:2026-11",
    "after": "after:2026-11",
    "seed": "seed:1234",
}


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, and the link at its end."""

    sentence: str
    link: str = ""
    url: str = ""


def notes_of(filter_: Filter, total: int) -> list[Note]:
    """What is to be said about the text of a filter of which `total` images were found."""
    notes = [Note(_complaint(each)) for each in parse(filter_.text).complaints]
    if total == 0:
        notes += [_miss(miss, filter_) for miss in misses.list_misses(filter_)]
    return notes


def _complaint(complaint: Complaint) -> str:
    field = complaint.field.lower()
    flags = (Flag.GENERATED, Flag.UPLOADED) if field == "kind" else searchable_flags()
    is_empty = complaint.problem is Problem.NO_VALUE and not field
    return (_NO_WORD if is_empty else _SENTENCES[complaint.problem]).format(
        field=field, text=complaint.text, values=words_listed(flags), example=_EXAMPLES.get(field)
    )


def _miss(miss: Miss, filter_: Filter) -> Note:
    names = [f"“{_name(clause)}”" for clause in miss.clauses]
    if miss.is_sole:
        sentence = f"{_no_image(filter_)} {_verb(miss.clauses)} {' or '.join(names)}."
        without = "Without it" if len(names) == 1 else "Without them"
    else:
        sentence, without = "", f"Without {names[0]}"
    if not miss.totals.total:
        return Note(sentence)
    count = f"{number(miss.totals.total)}{'+' if miss.totals.is_capped else ''}"
    verb = "matches" if miss.totals.total == 1 else "match"
    return Note(sentence, f"{without} {count} {verb}.", gallery_url(**filter_args(miss.rest)))


def _no_image(filter_: Filter) -> str:
    """“No image”; with other filters, an image that these leave out may have the word."""
    unfiltered = Filter(profile_id=filter_.profile_id, scope=filter_.scope)
    is_alone = replace(filter_, text="", searches_titles=True) == unfiltered
    return "No image" if is_alone else "No image of this filter"


def _verb(clauses: tuple[Clause, ...]) -> str:
    is_worded = not any(term.field or term.is_negated for clause in clauses for term in clause)
    return "has" if is_worded else "matches"


def _name(clause: Clause) -> str:
    """A clause as it was typed, but without the quotation marks of a phrase."""
    if len(clause) == 1 and not clause[0].field and not clause[0].is_negated:
        return clause[0].text
    return " OR ".join(map(str, clause))
