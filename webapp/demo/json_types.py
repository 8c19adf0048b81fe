"""The type of the JSON that the simulated Flow sends."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

# Read-only containers, so that a list of a narrower type fits as well.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
# An object without field names, as flow.google.com sends it: the position says what a value means.
Slots: TypeAlias = list[Json]
