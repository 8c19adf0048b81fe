"""Pictures of the simulated Flow: a number gives a picture, and a prompt that says what it shows."""

from webapp.demo.pictures.gallery import ASPECTS, encoded, prompt, tiny

__all__ = ["ASPECTS", "encoded", "prompt", "tiny"]
