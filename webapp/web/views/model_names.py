"""Image models by the names that people know. Rows, addresses and exports keep the codes of Flow."""

from collections import Counter
from collections.abc import Iterable

from flask import Flask

# A code that is not here has no name that Google uses in public, and is shown as it is.
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
    """The names of several models by their codes. Those that share a name have the code behind it."""
    codes = list(codes)
    counts = Counter(model_name(code) for code in codes)
    return {code: _told_apart(code, counts[model_name(code)] > 1) for code in codes}


def model_choices(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Codes and names, in the order of the names."""
    return sorted(names_of_models(codes).items(), key=lambda choice: choice[1].casefold())


def _told_apart(code: str, is_shared: bool) -> str:
    name = model_name(code)
    return f"{name} ({code})" if is_shared and name != code else name


def register(app: Flask) -> None:
    app.add_template_filter(model_name)
