"""Thumbnails: small WebP copies of the downloaded pictures, made with limited memory."""

import threading
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

from webapp.errors import BadPicture, NoThumbnail
from webapp.storage.files import replace_file
from webapp.storage.pictures import MAX_DECODED_BYTES, decoding_bytes, opened
from webapp.storage.problems import translate_errors

# Pictures that take more memory than this are decoded one at a time, across all threads.
LARGE_BYTES = 60_000_000
_one_large = threading.Lock()
_SRGB = ImageCms.createProfile("sRGB")
_DEEP_GREY = {"I;16", "I;16B", "I;16L", "I", "F"}


def make_thumbnail(source: Path, target: Path, edge: int) -> None:
    """Write a WebP of at most `edge` pixels a side.

    Raises BadPicture when `source` cannot be decoded, NoThumbnail when that would take too much memory,
    FileNotFoundError when it is missing, DiskFull and FolderGone when the thumbnail cannot be written.
    """
    try:
        with source.open("rb") as file, opened(file) as picture:
            cost = decoding_bytes(picture)
            if cost > MAX_DECODED_BYTES:
                raise NoThumbnail(
                    f"{source.name} has {picture.width} by {picture.height} pixels, too many for a "
                    "thumbnail. Its file is kept as it is."
                )
            with _one_large if cost > LARGE_BYTES else nullcontext():
                encoded = _encoded(_small(picture, edge))
    except BadPicture as error:
        raise BadPicture(f"{source.name} is damaged: it cannot be decoded.") from error
    except MemoryError as error:
        raise NoThumbnail(f"There is too little memory to make a thumbnail of {source.name}.") from error
    with translate_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, encoded)


def _small(picture: Image.Image, edge: int) -> Image.Image:
    """The picture reduced, upright, in sRGB. Reducing it first makes the other steps cheap."""
    picture.draft("RGB", (edge, edge))
    reduced = _reducible(picture)
    reduced.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    upright = ImageOps.exif_transpose(reduced)
    return _in_srgb(upright)


def _reducible(picture: Image.Image) -> Image.Image:
    """The picture in a mode that Pillow can resample: palettes cannot be, and 16-bit grey would overflow."""
    if picture.mode in _DEEP_GREY:
        return picture.point(lambda value: value / 256).convert("L")
    if picture.mode in ("P", "PA"):
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode != "RGBA" and picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The picture in sRGB, which browsers assume for a WebP without a colour profile."""
    mode = "RGBA" if "A" in picture.getbands() else "RGB"
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, source, _SRGB, outputMode=mode)
            return converted or picture.convert(mode)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # an invalid profile, or one of another colour space: the colours are left unchanged
    return picture.convert(mode)


def _encoded(picture: Image.Image) -> bytes:
    written = BytesIO()
    # The default method 4 takes more than twice as long for files that are 4 % smaller.
    picture.save(written, "WEBP", quality=80, method=2, exif=b"", icc_profile=b"", xmp=b"")
    return written.getvalue()
