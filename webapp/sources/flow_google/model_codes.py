"""The numbers by which flow.google.com names image models, and the codes that labs.google uses for them.

One public client read them from the page's script; 25 and 29 were captured as well. A number that is
not listed here is stored as it is.
"""

CODES = {
    20: "IMAGEN_3_5_FAST",
    21: "IMAGEN_3_5",
    23: "GEM_PIX",
    24: "R2I",
    25: "GEM_PIX_2",
    29: "NARWHAL",
    31: "HARBOR_SEAL",
    36: "BELUGA",
    37: "BELUGA_THINKING_LOW",
    38: "BELUGA_THINKING_MED",
    39: "BELUGA_THINKING_HIGH",
}


def model_code(number: object) -> str | None:
    """The code of a model number, or the number as text if it is unknown. None for 0 and non-numbers."""
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 10**6:
        return None
    return CODES.get(number, str(number))
