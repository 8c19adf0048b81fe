"""Rows of a history page that lack a part or make no sense, by name."""

from collections.abc import Callable, Mapping

Row = Mapping[str, object]


def _without(row: Row, field: str, *inner: str) -> dict[str, object]:
    """Return a copy without one field, which is given by its path."""
    copy = dict(row)
    value = copy.pop(field)
    if inner and isinstance(value, Mapping):
        copy[field] = _without(value, *inner)
    return copy


BREAKAGES: dict[str, Callable[[Row], object]] = {
    "without media": lambda row: _without(row, "media"),
    "without mediaGenerationId": lambda row: _without(row, "media", "mediaGenerationId"),
    "without mediaKey": lambda row: _without(row, "media", "mediaGenerationId", "mediaKey"),
    "without workflowId": lambda row: _without(row, "media", "mediaGenerationId", "workflowId"),
    "without name": lambda row: _without(_without(row, "name"), "media", "name"),
    "without any kind": lambda row: _without(row, "media", "userUploadedImage"),
    "wrong types": lambda row: {"name": 17, "createTime": 1.5, "media": "no object"},
    "null": lambda row: None,
}
