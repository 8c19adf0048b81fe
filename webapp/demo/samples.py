"""The two accounts of `flowshelf demo`, which together show everything that either service can hold."""

from datetime import timedelta

from webapp.demo.entries import Kind
from webapp.demo.world import ASSET_MANAGER, PINHOLE, World

# The number of a model that this program does not know.
_UNKNOWN_MODEL = "47"
_MODELS = ("BELUGA", "NARWHAL", "BELUGA_THINKING_HIGH", "GEM_PIX_2", "HARBOR_SEAL", _UNKNOWN_MODEL)
_ASPECTS = ("LANDSCAPE_FOUR_THREE", "PORTRAIT_THREE_FOUR")
_ARCHIVED = (
    "Paper lantern",
    "Blue enamel mug",
    "Linen swatch",
    "Logo of a small café",
    "Wooden chair",
    "Postcard from the coast",
)


def sample_world() -> World:
    """Return an account at labs.google: over a year of images, some videos, and two broken entries."""
    world = World(uploaded=140, generated=208, videos=12)
    world.add_broken_entry("without media", PINHOLE)
    world.add_broken_entry("without any kind")
    return world


def moved_sample_world(
    seed: int = 1,
    uploaded: int = 30,
    generated: int = 90,
    videos: int = 6,
    *,
    email: str = "ada@example.com",
    owner: str = "Ada Example",
    tiny_pictures: bool = False,
) -> World:
    """Return an account that has moved to flow.google.com, with everything that a project can hold."""
    world = World(
        seed,
        uploaded,
        generated,
        videos,
        email=email,
        owner=owner,
        tiny_pictures=tiny_pictures,
        fife_url_kinds=Kind,
        days=60.0,
    )
    # In mid-September 2026 the real start page lacked both.
    world.google.hides_email = world.google.hides_token = True
    generated_names = world.names(PINHOLE, Kind.GENERATED)
    uploaded_names = world.names(ASSET_MANAGER, Kind.UPLOADED)
    _vary(world, generated_names, uploaded_names)
    _change_cards(world, generated_names, uploaded_names)
    _add_ingredients(world, uploaded_names)
    world.add_project("Ideas for later")
    world.migrate()
    return world


def add_news(ada: World, studio: World) -> None:
    """Add what the next sync finds: a few pages of the histories of `ada`, and new projects of `studio`."""
    for title in ("Window display", "Menu cards"):
        project_id = studio.add_project(title)
        studio.add_generated(6, project_id)
        studio.add_uploaded(1, project_id)
    studio.add_generated(4, studio.projects.ids()[4])
    ada.add_videos(3)
    ada.add_uploaded(20)
    ada.add_generated(32)


def _vary(world: World, generated: list[str], uploaded: list[str]) -> None:
    """Vary models and aspects, and give some images references to uploads."""
    for index, name in enumerate(generated[::2]):
        world.change(name, model_name=_MODELS[index % len(_MODELS)])
    for index, name in enumerate(generated[3::8]):
        world.change(name, aspect=_ASPECTS[index % 2])
    for index, name in enumerate(generated[1::10]):
        key = world.entry(uploaded[index % len(uploaded)]).media_key
        world.change(name, references=(key,))


def _change_cards(world: World, generated: list[str], uploaded: list[str]) -> None:
    """Add versions, and images that are archived or lack a preview, a card or a title."""
    for name in generated[::9]:
        world.add_version(name)
    for name in generated[::13]:
        world.change(name, is_archived=True)
    for name in (*generated[4::11], *uploaded[2::7]):
        world.change(name, fife_url_in_history=False)
    world.change(generated[5], has_card=False)
    world.change(generated[6], title="")


def _add_ingredients(world: World, uploaded: list[str]) -> None:
    """Add an archive of the old Flow, and let projects use its images, other uploads and voices."""
    projects = world.projects
    ids = projects.ids()
    made_at = projects.get(ids[-1]).made_at - timedelta(days=140)
    world.add_project("Ingredient Archive", world.archive_id, made_at)
    for index, title in enumerate(_ARCHIVED):
        world.add_archived_ingredient(ids[index * 3 % len(ids)], title)
    for index, name in enumerate(uploaded[::6]):
        world.add_ingredient(ids[index * 2 % len(ids)], name)
    for project_id, voice in zip(ids, ("Achernar", "Despina"), strict=False):
        world.add_voice(project_id, voice)
