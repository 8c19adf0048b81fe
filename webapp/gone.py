"""What a full sync says of images that it did not meet, and what a person answers to its question."""

from webapp.store import pages, runs
from webapp.store.pages import Unseen


def answer_question(walk_id: int, *, mark: bool) -> None:
    """Take a person's answer to what the end of a full walk left open, and say it where it was asked."""
    answered = pages.answer_question(walk_id, mark=mark)
    if answered.count:
        now = gone_note(answered) if mark else _kept_note(answered)
        runs.replace_note(walk_id, gone_note(Unseen(answered.count)), now)


def gone_note(unseen: Unseen) -> str:
    if unseen.was_marked:
        return f"{_missing(unseen)}. {_subject(unseen)} marked as gone from Flow."
    return (
        f"{_missing(unseen)}. That is more than a tenth of it, so nothing was marked: look into Flow first, "
        "then say what they are."
    )


def _kept_note(unseen: Unseen) -> str:
    return f"{_missing(unseen)}. {_subject(unseen)} left as before, as you said."


def _subject(unseen: Unseen) -> str:
    return "It was" if unseen.count == 1 else "They were"


def _missing(unseen: Unseen) -> str:
    if unseen.count == 1:
        return "1 image of the shelf no longer stands in this history"
    return f"{unseen.count} images of the shelf no longer stand in this history"
