"""Pictures of the simulated Flow: a number gives a picture, and a prompt that says what it shows."""

from webapp.demo.pictures.gallery import ASPECTS, TINY_SIZE, encoded, prompt, size, size_of, tiny

__all__ = ["ASPECTS", "TINY_SIZE", "encoded", "prompt", "size", "size_of", "tiny"]
