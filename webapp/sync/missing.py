"""Sentences about images that a full sync did not find, and the owner's answer whether to mark them as gone
(rule 5)."""

from webapp.store import runs
from webapp.store.history import missing
from webapp.store.history.missing import MissingImages


def answer_question(walk_id: int, *, mark: bool) -> None:
    """Apply a person's answer to the question of a full sync, and replace the question in the run's note with
    the result."""
    if count := missing.answer_question(walk_id, mark=mark):
        answer = _marked_note(count) if mark else _unmarked_note(count)
        runs.replace_note(walk_id, _question_note(count), answer)


def missing_note(found: MissingImages) -> str:
    """The sentences for the end of a full sync about images that it did not find; empty when it found all."""
    notes = []
    if found.marked_count:
        notes.append(_marked_note(found.marked_count))
    if found.asked_count:
        notes.append(_question_note(found.asked_count))
    return " ".join(notes)


def _marked_note(count: int) -> str:
    return f"{_missing(count)}. {_subject(count)} marked as “No longer in Flow”."


def _question_note(count: int) -> str:
    return f"{_missing(count)}. Nothing was marked yet: look into Flow first, then answer the question here."


def _unmarked_note(count: int) -> str:
    return f"{_missing(count)}. {_subject(count)} left as before, as you said."


def _subject(count: int) -> str:
    return "It was" if count == 1 else "They were"


def _missing(count: int) -> str:
    if count == 1:
        return "1 image on the shelf is no longer in this history"
    return f"{count:,} images on the shelf are no longer in this history"
