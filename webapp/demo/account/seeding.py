"""When a person made which pictures: sittings on many days, several answers to one prompt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from webapp.demo.entries import Kind, random_uuid

ASPECTS = ("LANDSCAPE",) * 5 + ("PORTRAIT",) * 2 + ("SQUARE",) * 3


@dataclass(frozen=True, slots=True)
class Plan:
    """One picture to be: the same number and another variation is another answer to the same prompt."""

    kind: Kind
    moment: datetime
    number: int
    variation: int
    aspect: str
    project_id: str


def plan(
    rng: Random, counts: Mapping[Kind, int], end: datetime, days: float, first_number: int
) -> list[Plan]:
    """Sittings spread over the days before `end`, more of them lately; oldest first."""
    plans = []
    for kind, count in counts.items():
        left = count
        while left:
            sitting = _sitting(rng, kind, _moment(rng, end, days), first_number + len(plans))
            plans += sitting[:left]
            left -= min(left, len(sitting))
    return sorted(plans, key=lambda one: one.moment)


def _moment(rng: Random, end: datetime, days: float) -> datetime:
    return end - timedelta(hours=1, days=days * rng.random() ** 1.3)


def _sitting(rng: Random, kind: Kind, moment: datetime, number: int) -> list[Plan]:
    """Pictures made within some minutes; many of them come with whole seconds, as the service does it."""
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
