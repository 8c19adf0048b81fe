"""What leaves the shelf: files with names that people can read, and with what is known of them inside.

fields     what is told about an image, to the owner or to a guest
copies     the bytes of one copy
folder     `flowshelf export`: keeps a folder in step with a filter
manifest   what that folder contains
"""

from webapp.maintenance.leaving.copies import Copy, open_copy
from webapp.maintenance.leaving.fields import Fields, Teller

__all__ = ["Copy", "Fields", "Teller", "open_copy"]
