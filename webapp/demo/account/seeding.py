"""Plans the images of a new account: when each was made, and which share a project or a prompt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from webapp.demo.entries import Kind, random_uuid

# Repeated values are more frequent.
ASPECTS = ("LANDSCAPE",) * 5 + ("PORTRAIT",) * 2 + ("SQUARE",) * 3


@dataclass(frozen=True, slots=True)
class Plan:
    """One entry to be added. Plans with the same `number` are variations of one prompt."""

    kind: Kind
    moment: datetime
    number: int
    variation: int
    aspect: str
    project_id: str


def plan(
    rng: Random, counts: Mapping[Kind, int], end: datetime, days: float, first_number: int
) -> list[Plan]:
    """Spread entries over the days before `end`, more of them towards the end; oldest first."""
    plans: list[Plan] = []
    for kind, count in counts.items():
        left = count
        while left:
            batch = _batch(rng, kind, _moment(rng, end, days), first_number + len(plans))
            plans += batch[:left]
            left -= min(left, len(batch))
    return sorted(plans, key=lambda planned: planned.moment)


def _moment(rng: Random, end: datetime, days: float) -> datetime:
    return end - timedelta(hours=1, days=days * rng.random() ** 1.3)


def _batch(rng: Random, kind: Kind, moment: datetime, number: int) -> list[Plan]:
    """Plan what somebody makes in one project within a few minutes.

    Many of the times have whole seconds, as at the real service.
    """
    project_id = random_uuid(rng)
    plans = []
    for _ in range(1 if kind is Kind.VIDEO else rng.randint(1, 5)):
        number += 1
        aspect = rng.choice(ASPECTS)
        for variation in range(rng.choice((1, 1, 1, 2, 2, 4)) if kind is Kind.GENERATED else 1):
            moment += timedelta(seconds=rng.uniform(0.4, 9 if variation else 70))
            shown = moment.replace(microsecond=0) if rng.random() < 0.4 else moment
            plans.append(Plan(kind, shown, number, variation, aspect, project_id))
    return plans
