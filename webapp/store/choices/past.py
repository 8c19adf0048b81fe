"""Choices that were taken back, kept for a day so that Undo brings them back with their times."""

from datetime import UTC, datetime, timedelta

from peewee import Select, Value

from webapp.database.models import Collection, PastChoice
from webapp.times import now, timestamp

LIFETIME = timedelta(days=1)


def keep(choices: Select, collection: Collection | None = None) -> str:
    """Keep names and times that are about to be removed. Returns the time, which identifies this action."""
    moment = now()
    outlived = timestamp(datetime.now(UTC) - LIFETIME)
    PastChoice.delete().where(PastChoice.removed_at < outlived).execute()
    values = choices.select_extend(Value(collection and collection.id), Value(moment))
    fields = (PastChoice.name, PastChoice.chosen_at, PastChoice.collection, PastChoice.removed_at)
    PastChoice.insert_from(values, fields).execute()
    return moment


def removed_at(moment: str) -> Select:
    """What was removed at this time, as returned by `keep`."""
    return PastChoice.select().where(PastChoice.removed_at == moment)


def names_of(moment: str) -> Select:
    return removed_at(moment).select(PastChoice.name)


def count_removed_at(moment: str) -> int:
    return removed_at(moment).count()
