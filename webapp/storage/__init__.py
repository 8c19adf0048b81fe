"""The disk: folders that may be written to, complete files under final names, pictures and thumbnails.

folders     which folders may be used, whether they exist, and how much space is free
files       files are written completely or not at all, and removed
trash       the trash of a root: files are moved in and out
file_times  when a file was modified, as it says
found       the file of an image by the names that it would have
pictures    format and size of a picture, and whether it decodes
structure   where a picture ends
embedding/  what is known of a picture, written into it
thumbnails  small pictures, with limited memory
sizes       width and height by the header of a file alone
problems    errors of the operating system as sentences
reserve     space set aside for a full disk
lock        the lock of a data folder; not imported here
"""

from webapp.storage.file_times import set_made_time
from webapp.storage.files import (
    DEVICE_NAMES,
    PART_PREFIX,
    current_sha256,
    file_sha256,
    file_stems,
    give_name,
    is_open_to_others,
    make_private,
    move_file,
    put_aside,
    remove_file,
    remove_files,
    remove_parts,
    replace_file,
    replacing,
    save_file,
)
from webapp.storage.folders import (
    TRASH_FOLDER,
    allowed_folder,
    free_bytes,
    is_in_trash,
    is_there,
    make_folder,
    network_share_of,
    path_under,
    require_root,
)
from webapp.storage.found import SoundFile, candidates, list_names, read_sound_file
from webapp.storage.pictures import (
    SUFFIXES,
    PictureHeader,
    decodes,
    is_too_large_for_thumbnail,
    read_header,
)
from webapp.storage.problems import translate_errors
from webapp.storage.reserve import keep_reserve, release_reserve
from webapp.storage.sizes import measure
from webapp.storage.thumbnails import make_thumbnail

__all__ = [
    "DEVICE_NAMES",
    "PART_PREFIX",
    "SUFFIXES",
    "TRASH_FOLDER",
    "PictureHeader",
    "SoundFile",
    "allowed_folder",
    "candidates",
    "current_sha256",
    "decodes",
    "file_sha256",
    "file_stems",
    "free_bytes",
    "give_name",
    "is_in_trash",
    "is_open_to_others",
    "is_there",
    "is_too_large_for_thumbnail",
    "keep_reserve",
    "list_names",
    "make_folder",
    "make_private",
    "make_thumbnail",
    "measure",
    "move_file",
    "network_share_of",
    "path_under",
    "put_aside",
    "read_header",
    "read_sound_file",
    "release_reserve",
    "remove_file",
    "remove_files",
    "remove_parts",
    "replace_file",
    "replacing",
    "require_root",
    "save_file",
    "set_made_time",
    "translate_errors",
]
