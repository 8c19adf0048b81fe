"""The disk: folders that may be written to, whole files under final names, pictures and thumbnails.

folders     which may be used, whether they are there, and what room they have
files       written whole or not at all, and removed
pictures    what they are, and whether they decode
structure   where a picture ends
thumbnails  small pictures at a bounded cost
sizes       how large they are, by the header of the file alone
problems    what a disk says, as sentences
"""

from webapp.storage.files import (
    DEVICE_NAMES,
    PART_PREFIX,
    file_sha256,
    file_stems,
    keep_file,
    remove_file,
    remove_files,
    remove_parts,
    replace_file,
    writing_beside,
)
from webapp.storage.folders import (
    allowed_folder,
    free_bytes,
    is_there,
    make_folder,
    network_share_of,
    path_under,
    require_root,
)
from webapp.storage.pictures import (
    SUFFIXES,
    PictureHeader,
    decodes,
    is_too_large_for_thumbnail,
    read_header,
)
from webapp.storage.problems import translate_errors
from webapp.storage.sizes import measure
from webapp.storage.thumbnails import make_thumbnail

__all__ = [
    "DEVICE_NAMES",
    "PART_PREFIX",
    "SUFFIXES",
    "PictureHeader",
    "allowed_folder",
    "decodes",
    "file_sha256",
    "file_stems",
    "free_bytes",
    "is_there",
    "is_too_large_for_thumbnail",
    "keep_file",
    "make_folder",
    "make_thumbnail",
    "measure",
    "network_share_of",
    "path_under",
    "read_header",
    "remove_file",
    "remove_files",
    "remove_parts",
    "replace_file",
    "require_root",
    "translate_errors",
    "writing_beside",
]
