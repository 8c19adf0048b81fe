"""URLs of pictures in the responses of the simulated Flow."""

from dataclasses import dataclass

from webapp.demo.entries import Entry
from webapp.demo.world import World


@dataclass
class Urls:
    """Makes URLs below `base`, which is set once the server knows its port."""

    base: str = ""

    def picture(self, world: World, entry: Entry) -> str:
        """Return a signed URL at the picture storage."""
        return self.base + world.picture_path(entry)

    def asset(self, world: World, entry: Entry) -> str:
        """Return a signed URL in the form of flow.google.com."""
        return self.base + world.asset_path(entry)

    def preview(self, world: World, entry: Entry) -> str | None:
        """Return the preview URL that listings carry, if they carry one."""
        return self.picture(world, entry) if world.lists_fife_url(entry) else None
