"""What a full sync says of images that it did not meet, and what a person answers to its question."""

from webapp.store import runs
from webapp.store.history import missing
from webapp.store.history.missing import MissingImages


def answer_question(walk_id: int, *, mark: bool) -> None:
    """Take a person's answer to what the end of a full walk left open, and say it where it was asked."""
    if count := missing.answer_question(walk_id, mark=mark):
        answered = _marked_note(count) if mark else _kept_note(count)
        runs.replace_note(walk_id, _question_note(count), answered)


def missing_note(found: MissingImages) -> str:
    """What the end of a full walk says of images that it did not meet; empty when it met all."""
    notes = []
    if found.marked_count:
        notes.append(_marked_note(found.marked_count))
    if found.asked_count:
        notes.append(_question_note(found.asked_count))
    return " ".join(notes)


def _marked_note(count: int) -> str:
    return f"{_missing(count)}. {_subject(count)} marked as gone from Flow."


def _question_note(count: int) -> str:
    return f"{_missing(count)}. Nothing was marked yet: look into Flow first, then say what became of them."


def _kept_note(count: int) -> str:
    return f"{_missing(count)}. {_subject(count)} left as before, as you said."


def _subject(count: int) -> str:
    return "It was" if count == 1 else "They were"


def _missing(count: int) -> str:
    if count == 1:
        return "1 image on the shelf is no longer in this history"
    return f"{count:,} images on the shelf are no longer in this history"
