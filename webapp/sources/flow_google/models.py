"""The numbers by which flow.google.com names models, and the codes that both services share.

Read from the page's bundle by one public client; 25 and 29 are captured as well. A number that is
not here is kept as it is.
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


def model_code(said: object) -> str | None:
    """The code of a model number; the number itself as text when it is unknown, None for none (0)."""
    if not isinstance(said, int) or isinstance(said, bool) or not 0 < said < 10**6:
        return None
    return CODES.get(said, str(said))
