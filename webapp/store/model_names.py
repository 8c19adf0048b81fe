"""Public names of image models. Rows, URLs and exports use the codes of Flow."""

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
