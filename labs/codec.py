"""Arrays on their way to the browser.

A trajectory of 2,000 particles over 64 frames is 5 MB as a list of numbers and 0.2 MB as 16-bit
integers, differenced in time and deflated. The eye cannot tell: half a step of 16 bits is 1/131070
of the range. One value is `offset + scale * integer`; `static/js/codec.js` is the other half.
"""

import base64
import zlib
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Quantise = Literal["int16", "uint8"]

_DTYPES: dict[Quantise, np.dtype[np.int16] | np.dtype[np.uint8]] = {
    "int16": np.dtype(np.int16),
    "uint8": np.dtype(np.uint8),
}


class Encoded(TypedDict):
    """An array as JSON.

    Attributes:
        dtype: The number type on the wire, little endian.
        shape: The array's shape, in C order.
        scale: The value of one step (1 for float32).
        offset: The value of the integer zero (0 for float32).
        delta: Whether the integers are first differences along axis 0, wrapping in their type.
        deflate: Whether the bytes are compressed (raw deflate, RFC 1951).
        data: The bytes in base64.
    """

    dtype: Literal["int16", "uint8", "float32"]
    shape: list[int]
    scale: float
    offset: float
    delta: bool
    deflate: bool
    data: str


def encode(
    array: ArrayLike,
    *,
    quantise: Quantise | None = "int16",
    delta: bool = False,
    deflate: bool = True,
) -> Encoded:
    """Packs an array, choosing scale and offset from its own range.

    The value read back differs by at most `scale / 2`, half a step, plus the rounding to float32;
    a step is the array's range over 65535 (int16) or 255 (uint8). Integers that already fit the
    wire's type travel exactly. Without quantisation float32 travels exactly.

    Args:
        array: Finite numbers of any shape.
        quantise: The integer type to round to; None sends float32.
        delta: Send first differences along axis 0: smaller where axis 0 is time.
        deflate: Compress. Off, the browser decodes small arrays a little sooner.

    Returns:
        A dictionary ready for JSON.

    Raises:
        ValueError: If the array holds values that float32 cannot, if `quantise` is unknown, or if
            `delta` is asked of floats or of a scalar.

    References:
        DEFLATE Compressed Data Format Specification (RFC 1951, 1996).
    """
    values = np.asarray(array)
    _check(values, quantise, delta)
    if quantise is None:
        stored, scale, offset = values.astype("<f4"), 1.0, 0.0
    else:
        stored, scale, offset = _quantised(values, _DTYPES[quantise])
    if delta:
        first = np.zeros_like(stored[:1])
        with np.errstate(over="ignore"):
            stored = np.diff(stored, axis=0, prepend=first)
    raw = np.ascontiguousarray(stored).tobytes()
    if deflate:
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        raw = packer.compress(raw) + packer.flush()
    return {
        "dtype": quantise or "float32",
        "shape": list(values.shape),
        "scale": scale,
        "offset": offset,
        "delta": delta,
        "deflate": deflate,
        "data": base64.b64encode(raw).decode("ascii"),
    }


def decode(encoded: Encoded) -> NDArray[np.float32]:
    """Unpacks what `encode` packed, as the browser does.

    Args:
        encoded: The dictionary.

    Returns:
        The array, dequantised in float64 and rounded to float32.

    Raises:
        ValueError: If the data do not fill the shape.
    """
    raw = base64.b64decode(encoded["data"])
    if encoded["deflate"]:
        raw = zlib.decompress(raw, -zlib.MAX_WBITS)
    dtype = np.dtype(encoded["dtype"]).newbyteorder("<")
    shape = tuple(encoded["shape"])
    size = int(np.prod(shape, dtype=np.int64))
    if len(raw) != size * dtype.itemsize:
        wanted = size * dtype.itemsize
        raise ValueError(f"data must hold {wanted} bytes for shape {shape}, got {len(raw)}.")
    stored = np.frombuffer(raw, dtype).reshape(shape)
    if encoded["delta"]:
        stored = np.cumsum(stored, axis=0, dtype=dtype)
    if encoded["dtype"] == "float32":
        return stored.astype(np.float32)
    return (encoded["offset"] + encoded["scale"] * stored.astype(np.float64)).astype(np.float32)


def _check(values: NDArray[np.generic], quantise: str | None, delta: bool) -> None:
    """Refuses what the wire cannot carry."""
    if quantise not in ("int16", "uint8", None):
        raise ValueError(f"quantise must be 'int16', 'uint8' or None, got {quantise!r}.")
    if delta and quantise is None:
        raise ValueError("delta must go with quantise, got quantise=None.")
    if delta and values.ndim == 0:
        raise ValueError("delta must have an axis to run along, got a scalar.")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"array must hold real numbers, got dtype {values.dtype}.")
    largest = float(np.max(np.abs(values.astype(np.float64)), initial=0.0))
    if not largest <= float(np.finfo(np.float32).max):
        raise ValueError(f"array must be finite in float32, got {largest} as its largest size.")


def _quantised(
    values: NDArray[np.generic], dtype: np.dtype[np.int16] | np.dtype[np.uint8]
) -> tuple[NDArray[np.generic], float, float]:
    """Returns little-endian integers with the scale and offset that undo them."""
    wire = dtype.newbyteorder("<")
    low_step, high_step = np.iinfo(dtype).min, np.iinfo(dtype).max
    if values.size == 0:
        return values.astype(wire), 1.0, 0.0
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "biu" and low_step <= low and high <= high_step:
        return values.astype(wire), 1.0, 0.0
    scale = (high - low) / (high_step - low_step)
    if scale == 0.0:
        return np.zeros(values.shape, wire), 0.0, low
    offset = low - scale * low_step
    steps = np.rint((values.astype(np.float64) - offset) / scale)
    return np.clip(steps, low_step, high_step).astype(wire), scale, offset
