"""Public names of image models. Rows, URLs and exports use the codes of Flow."""

from collections import Counter
from collections.abc import Iterable

from flask import Flask

# Google uses no public name for any other code; pages show the code itself.
MODEL_NAMES = {
    "IMAGEN_3_5": "Imagen 4",
    "IMAGEN_3_5_FAST": "Imagen 4 Fast",
    "GEM_PIX": "Nano Banana",
    "GEM_PIX_2": "Nano Banana Pro",
    "NARWHAL": "Nano Banana 2",
    "BELUGA": "Nano Banana 2.1",
    "BELUGA_THINKING_LOW": "Nano Banana 2.1 (thinking: low)",
    "BELUGA_THINKING_MED": "Nano Banana 2.1 (thinking: medium)",
    "BELUGA_THINKING_HIGH": "Nano Banana 2.1 (thinking: high)",
}


def model_name(code: str) -> str:
    return MODEL_NAMES.get(code, code)


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
