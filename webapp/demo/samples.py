"""The worlds of the demo's two profiles, with all that can stand at either service."""

from datetime import timedelta

from webapp.demo.entries import Kind
from webapp.demo.world import PINHOLE, World

UNKNOWN_MODEL = "47"
_MODELS = ("BELUGA", "NARWHAL", "BELUGA_THINKING_HIGH", "GEM_PIX_2", "HARBOR_SEAL", UNKNOWN_MODEL)
_ASPECTS = ("LANDSCAPE_FOUR_THREE", "PORTRAIT_THREE_FOUR")
_ARCHIVED = (
    "Paper lantern",
    "Blue enamel mug",
    "Linen swatch",
    "Logo of a small bakery",
    "Wooden chair",
    "Postcard from the coast",
)


def sample_world(**given: object) -> World:
    """A good year of pictures at labs.google, some videos, and two entries that are no use."""
    world = World(**({"uploaded": 140, "generated": 208, "videos": 12} | given))
    world.add_broken_entry("without media", PINHOLE)
    world.add_broken_entry("without any kind")
    return world


def moved_sample_world(**given: object) -> World:
    """An account that has moved to flow.google.com, with all that can stand there."""
    counts = {"uploaded": 30, "generated": 90, "videos": 6}
    world = World(**(counts | {"days": 60.0, "fife_url_kinds": Kind} | given))
    furnish_moved(world)
    world.migrate()
    return world


def furnish_moved(world: World) -> None:
    """Every part takes some of the images, newest first, at distances of its own.

    The start page says neither the e-mail nor the token, as it was seen in the middle of September.
    """
    world.google.hides_email = world.google.hides_token = True
    generated = world.names("PINHOLE", Kind.GENERATED)
    uploaded = world.names("ASSET_MANAGER", Kind.UPLOADED)
    _vary(world, generated, uploaded)
    for name in generated[::9]:
        world.add_version(name)
    for name in generated[::13]:
        world.change(name, is_archived=True)
    for name in (*generated[4::11], *uploaded[2::7]):
        world.change(name, fife_url_in_history=False)
    world.change(generated[5], has_card=False)
    world.change(generated[6], title="")
    _add_ingredients(world, uploaded)
    world.add_project("Ideas for later")


def _vary(world: World, generated: list[str], uploaded: list[str]) -> None:
    """Models, shapes, and images that were made from others."""
    for index, name in enumerate(generated[::2]):
        world.change(name, model_name=_MODELS[index % len(_MODELS)])
    for index, name in enumerate(generated[3::8]):
        world.change(name, aspect=_ASPECTS[index % 2])
    for index, name in enumerate(generated[1::10]):
        key = world.entry(uploaded[index % len(uploaded)]).media_key
        world.change(name, references=(key,))


def _add_ingredients(world: World, uploaded: list[str]) -> None:
    """An archive of the old Flow, whose images, like voices and uploads, are used by other projects."""
    projects = world.projects
    ids = projects.ids()
    begin = projects.find(ids[-1]).made_at - timedelta(days=140)
    world.add_project("Ingredient Archive", world.archive_id, begin)
    for index, title in enumerate(_ARCHIVED):
        world.add_archived_ingredient(ids[index * 3 % len(ids)], title)
    for index, name in enumerate(uploaded[::6]):
        world.add_ingredient(ids[index * 2 % len(ids)], name)
    for project_id, voice in zip(ids, ("Achernar", "Despina"), strict=False):
        world.add_voice(project_id, voice)
