"""The names of image models on pages and in the choices of the filter."""

from collections import Counter
from collections.abc import Iterable

from flask import Flask

from webapp.store.model_names import model_name


def names_of_models(codes: Iterable[str]) -> dict[str, str]:
    """The names of some models, by code. Models that share a name have the code appended to it."""
    codes = list(codes)
    counts = Counter(model_name(code) for code in codes)
    return {code: _distinct_name(code, counts[model_name(code)] > 1) for code in codes}


def model_choices(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Codes and names, sorted by name."""
    return sorted(names_of_models(codes).items(), key=lambda choice: choice[1].casefold())


def _distinct_name(code: str, is_shared: bool) -> str:
    name = model_name(code)
    return f"{name} ({code})" if is_shared and name != code else name


def register(app: Flask) -> None:
    app.jinja_env.filters["model_name"] = model_name
