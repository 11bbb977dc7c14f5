"""Ink: what the painter draws and what a picture becomes, a square of 64 by 64 cells in 16 tones.

A painting travels in the address, so its text is short: the version `1`, then, as unpadded
base64url, a raw deflate stream of 2048 bytes; each byte holds two cells of a row, the left one in
its high four bits, rows from the top. static/js/painter-ink.js reads and writes the same text.
Drawings take 300 to 1,100 characters; the worst case, noise, takes 2,740.

Everything here comes from strangers: nothing is unpacked beyond the size it must have, and a
picture's size is read from its header before any pixel is decoded.

References:
    DEFLATE Compressed Data Format Specification (RFC 1951).
    The Base16, Base32, and Base64 Data Encodings (RFC 4648), section 5.
    A Threshold Selection Method from Gray-Level Histograms (Otsu, 1979).
"""

import base64
import io
import re
import struct
import zlib
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

SIZE: Final = 64
"""Cells on a side."""
LEVELS: Final = 16
"""Tones of a cell, from no ink to full ink."""
INK_LENGTH: Final = 2800
"""Most characters of a painting; what does not compress at all needs 2,740."""
PICTURE_BYTES: Final = 5_000_000
"""Most bytes of an uploaded picture."""
PICTURE_PIXELS: Final = 12_000_000
"""Most pixels of an uploaded picture, by its header."""

_VERSION = "1"
_PACKED = SIZE * SIZE // 2
_FORMATS = ("PNG", "JPEG", "WEBP")
_WORKING = 256  # pixels on the longest side while figure and ground are told apart
_FLAT = 0.03  # a picture whose tones span less than this is of one colour
_PLAIN = 0.1  # a border whose tones spread less than this is the ground of a figure
_FLOOR = 0.06  # the share of the contrast that counts as grain of the ground
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error)

Ink = NDArray[np.float64]


def encode_ink(ink: ArrayLike) -> str:
    """Packs a painting into a short text.

    Args:
        ink: Amount of ink in [0, 1], shape (64, 64), row 0 at the top; rounded to 16 levels.

    Returns:
        A text of letters, digits, `-` and `_`, at most `INK_LENGTH` long.

    Raises:
        ValueError: If ink has another shape or leaves [0, 1].
    """
    amount = np.asarray(ink, dtype=np.float64)
    if amount.shape != (SIZE, SIZE):
        raise ValueError(f"ink must have shape ({SIZE}, {SIZE}), got {amount.shape}.")
    if not (np.isfinite(amount).all() and amount.min() >= 0 and amount.max() <= 1):
        raise ValueError("ink must lie in [0, 1] everywhere.")
    levels = np.rint(amount * (LEVELS - 1)).astype(np.uint8)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress((levels[:, ::2] << 4 | levels[:, 1::2]).tobytes()) + packer.flush()
    return _VERSION + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_ink(text: str) -> Ink:
    """Unpacks what `encode_ink` or the painter packed.

    Args:
        text: The painting.

    Returns:
        Amount of ink in [0, 1] on the grid of 16 levels, shape (64, 64), row 0 at the top. It may
        be blank; whoever needs a figure says so.

    Raises:
        ValueError: If text is empty, too long, of another version, not base64url, or does not
            unpack to exactly one painting.
    """
    packed = _unpack(_bytes_of(text))
    cells = np.frombuffer(packed, np.uint8).reshape(SIZE, SIZE // 2)
    levels = np.stack([cells >> 4, cells & 15], axis=2).reshape(SIZE, SIZE)
    return levels / (LEVELS - 1)


def _bytes_of(text: str) -> bytes:
    """Returns the deflate stream that the text spells."""
    if not isinstance(text, str):
        raise ValueError(f"ink must be text, got {type(text).__name__}.")
    if not text:
        raise ValueError("ink must not be empty: paint something first.")
    if len(text) > INK_LENGTH:
        raise ValueError(f"ink must have at most {INK_LENGTH} characters, got {len(text)}.")
    if not text.startswith(_VERSION):
        raise ValueError(f"ink must start with its version {_VERSION}, got {text[0]!r}.")
    body = text[len(_VERSION) :]
    stranger = re.search(r"[^A-Za-z0-9_-]", body)
    if stranger:
        raise ValueError(f"ink must hold only A-Z, a-z, 0-9, - and _, got {stranger[0]!r}.")
    if len(body) % 4 == 1:
        raise ValueError(f"ink must be base64url, which {len(body)} characters cannot be.")
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def _unpack(stream: bytes) -> bytes:
    """Inflates one painting, never more than a byte beyond it."""
    inflater = zlib.decompressobj(-15)
    try:
        packed = inflater.decompress(stream, _PACKED + 1)
    except zlib.error as error:
        raise ValueError("ink must be a deflate stream, got a damaged one.") from error
    if len(packed) > _PACKED:
        raise ValueError(f"ink must unpack to {_PACKED} bytes, got more.")
    if not inflater.eof:
        raise ValueError("ink must be a whole deflate stream, got one that is cut off.")
    if len(packed) < _PACKED:
        raise ValueError(f"ink must unpack to {_PACKED} bytes, got {len(packed)}.")
    if inflater.unused_data:
        rest = len(inflater.unused_data)
        raise ValueError(f"ink must end with its stream, got {rest} more bytes.")
    return packed


def ink_of_picture(data: bytes) -> Ink:
    """Turns an uploaded picture into ink.

    A figure on a plain ground, dark on light or light on dark, becomes the figure with its grey
    tones, padded to a square; any other picture becomes its stretched darkness, cropped to one.

    Args:
        data: A PNG, JPEG or WebP file, told by its content whatever it is called.

    Returns:
        Amount of ink in [0, 1] on the grid of 16 levels, shape (64, 64), row 0 at the top.

    Raises:
        ValueError: If data has too many bytes or pixels, is of another format, cannot be decoded,
            or shows one colour only.
    """
    if len(data) > PICTURE_BYTES:
        rule = f"ink must be a picture of at most {PICTURE_BYTES / 1e6:g} MB"
        raise ValueError(f"{rule}, got {len(data) / 1e6:.1f} MB.")
    grey = _grey_of(_opened(data))
    if np.ptp(grey) < _FLAT:
        raise ValueError("ink must be a picture of something, got one colour only.")
    ink = _square(_figure(grey)) if _is_plain(grey) else _darkness(_cropped(grey))
    cells: Ink = np.asarray(cv2.resize(ink, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
    cells = cells.clip(0, None) / cells.max()  # a thin line fades as cells grow; give it back
    levels: Ink = np.rint(cells * (LEVELS - 1))
    return levels / (LEVELS - 1)


def _opened(data: bytes) -> Image.Image:
    """Returns the picture upright, decoded no larger than needed."""
    rule = "ink must be a picture of at most 12 megapixels"
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{rule}, got many more.") from error
    except UnidentifiedImageError as error:
        raise ValueError("ink must be a PNG, JPEG or WebP picture, got something else.") from error
    except _DAMAGE as error:
        raise ValueError("ink must be a picture that can be decoded, got a damaged one.") from error
    width, height = picture.size
    if width * height > PICTURE_PIXELS:
        raise ValueError(f"{rule}, got {width} x {height}, {width * height / 1e6:.1f} megapixels.")
    try:
        picture.draft(None, (_WORKING, _WORKING))  # a JPEG is decoded at a fraction of its size
        picture.load()
        return ImageOps.exif_transpose(picture)
    except _DAMAGE as error:
        raise ValueError("ink must be a picture that can be decoded, got a damaged one.") from error


def _grey_of(picture: Image.Image) -> Ink:
    """Returns the tones in [0, 1], black to white, the longest side at most 256 pixels."""
    if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip to 8
        grey = np.asarray(picture, dtype=np.float32) / 65535
    else:
        if picture.has_transparency_data:
            layer = picture.convert("RGBA")
            picture = Image.new("RGBA", layer.size, "white")
            picture.alpha_composite(layer)
        grey = np.asarray(picture.convert("RGB").convert("L"), dtype=np.float32) / 255
    shrink = min(1.0, _WORKING / max(grey.shape))
    width, height = (max(1, round(side * shrink)) for side in (grey.shape[1], grey.shape[0]))
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float64)


def _border(grey: NDArray[Any]) -> NDArray[Any]:
    """Returns the outermost pixels."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _is_plain(grey: Ink) -> bool:
    """Returns whether the border shows one tone, so that what is within is a figure on it.

    The middle nine tenths of the border count: a figure may touch the edge.
    """
    low, high = np.quantile(_border(grey), [0.05, 0.95])
    return bool(high - low < _PLAIN)


def _figure(grey: Ink) -> Ink:
    """Returns how far each pixel stands out from the ground, on the figure's side of it.

    Otsu's threshold parts the tones in two; the part that most of the border has is the ground.
    """
    tones = np.rint(grey * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(tones, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    ground = np.median(_border(grey))
    light_ground = np.mean(_border(tones) > threshold) > 0.5
    depth: Ink = ground - grey if light_ground else grey - ground
    figure: Ink = np.clip((depth / depth.max() - _FLOOR) / (1 - _FLOOR), 0, 1)
    return figure


def _darkness(grey: Ink) -> Ink:
    """Returns the dark tones of a photograph, the darkest 2 % full, the lightest 2 % none."""
    low, high = np.quantile(grey, [0.02, 0.98])
    if high - low < _FLAT:
        low, high = grey.min(), grey.max()
    dark: Ink = np.clip((high - grey) / max(high - low, 1e-6), 0, 1)
    return dark


def _cropped(grey: Ink) -> Ink:
    """Returns the square in the middle."""
    side = min(grey.shape)
    top, left = ((length - side) // 2 for length in grey.shape)
    return grey[top : top + side, left : left + side]


def _square(ink: Ink) -> Ink:
    """Returns the ink in the middle of a blank square that holds all of it."""
    side = max(ink.shape)
    square = np.zeros((side, side))
    top, left = ((side - length) // 2 for length in ink.shape)
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return square
