"""Pictures of items: where their bytes lie, which are refused, and their pixels as 8-bit RGB.

A picture is decoded where its pixels are needed: a task of many pictures holds their places alone.
Pixels are turned as EXIF says, with transparent parts on white. Exports copy this file, so it imports nothing
of adaptbench.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
INSTALL = 'pip install "adaptbench[images]"'
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MOST_PIXELS = 40_000_000  # 120 MB as RGB
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class PictureError(Exception):
    """A picture that is not read: what it is, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an item."""

    name: str  # as people know it: its file as the table writes it
    digest: str  # sha256 of its bytes
    path: Path | None = None  # its file; None: `data` is what it holds
    data: bytes = field(default=b"", repr=False)

    def read(self) -> bytes:
        """Its bytes, as they are stored.

        Raises:
            PictureError: its file is gone.
        """
        return self.data if self.path is None else read_file(self.path)


def read_file(path: Path) -> bytes:
    """The bytes of a file; raises PictureError where there is none."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe or a device, which may never end
            raise PictureError("is no plain file", "correct the path or put the file there")
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror})", "correct the path or put the file there") from None


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a picture by its header, as it is stored.

    Raises:
        PictureError: it is no picture, too large, moving, or of another kind than is read.
        ImportError: Pillow is not installed.
    """
    with _opened(data) as picture:
        return picture.size


def pixels(data: bytes) -> Image:
    """A picture's bytes as 8-bit RGB, turned as its EXIF data says.

    Transparent parts stand on white. 16 bits are scaled to 8; CMYK is converted without a colour profile.

    Raises:
        PictureError: as `size_of`, or the data is damaged.
    """
    with _opened(data) as picture:
        from PIL import ImageOps

        with _as_problems():
            picture.load()
            turned = ImageOps.exif_transpose(picture)
        return _rgb(turned)


def thumbnail(data: bytes, side: int) -> bytes:
    """A picture's bytes as a JPEG of its pixels alone, neither side longer than `side`.

    Raises:
        PictureError: as `pixels`.
    """
    small, file = pixels(data), BytesIO()
    small.thumbnail((side, side))
    small.save(file, "JPEG", quality=75)
    return file.getvalue()


def _rgb(picture: Image) -> Image:
    from PIL import Image

    if picture.mode in _SIXTEEN_BITS:
        import numpy as np

        return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257 + 0.5).astype("uint8")).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    drawn = picture.convert("RGBA")
    ground = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(ground, drawn).convert("RGB")


@contextmanager
def _opened(data: bytes) -> Iterator[Image]:
    """The picture whose header has been read, closed at the end."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ImportError(f"reading pictures needs Pillow; {INSTALL}") from None
    if data.lstrip()[:1] == b"<" and b"<svg" in data[:4096].lower():
        raise PictureError("is a drawing (SVG), not a picture", "export it as PNG")
    with _as_problems():
        picture = Image.open(BytesIO(data), formats=_FORMATS)
    with picture:
        _refuse(picture)
        yield picture


def _refuse(picture: Any) -> None:
    width, height = picture.size
    if width * height > _MOST_PIXELS:
        what = f"has {width:,} × {height:,} pixels, more than {_MOST_PIXELS // 10**6} million"
        raise PictureError(what, "scale it down")
    with _as_problems():
        frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise PictureError(f"is animated or has several pages ({frames})", "save one of them as a picture")
    if picture.mode == "F":
        raise PictureError("holds floating-point numbers", "save it with 8 or 16 bits")


@contextmanager
def _as_problems() -> Iterator[None]:
    """What Pillow raises of untrusted data, as a PictureError."""
    from PIL import Image, UnidentifiedImageError

    large = "is far larger than a picture (a decompression bomb)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; sizes are looked at by ourselves
            yield
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(large, "scale it down") from None
    except UnidentifiedImageError:
        raise PictureError("is no picture that is read", f"allowed: {', '.join(_FORMATS)}") from None
    except Exception as error:  # decoders raise errors of many kinds on damaged data
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise PictureError(f"is damaged ({reason})", "save it again, or remove the row") from None
