"""From a picture to a density: ink becomes a few hundred narrow Gaussians.

The picture is cut into square cells, as fine as the number of components allows; each cell that
holds ink becomes one Gaussian at the centre of mass of its ink, weighted by it and half a cell
wide, so that neighbours melt into one stroke.
"""

from __future__ import annotations

import math
import unicodedata

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .mixture import GaussianMixture

# A cell with less than this share of the fullest cell's ink is a smudge, not worth a Gaussian.
_SMUDGE = 0.01
# In cells. On a grid of spacing h the sum of Gaussians ripples by 4 exp(-2 π² σ² / h²): 3 % at half
# a cell, while at a third a filled area turns into dots.
_WIDTH = 0.5
_LONGEST_WORD = 12


def from_ink(ink: ArrayLike, components: int = 256, extent: float = 2.4) -> GaussianMixture:
    """Turns a painted density or a picture into a Gaussian mixture.

    Args:
        ink: Amount of ink per pixel in [0, 1], shape (H, W); row 0 is the top of the picture.
        components: Most Gaussians to spend, at least 1.
        extent: The longest side of the picture spans [-extent, extent].

    Returns:
        A mixture of at most `components` Gaussians that puts the mass where the ink is; it is not
        standardised, so the density lies where it was painted.

    Raises:
        ValueError: If ink is not a matrix, holds values outside [0, 1] or is blank; if components
            is less than 1 or extent not positive.
    """
    amount = np.asarray(ink, dtype=np.float64)
    if amount.ndim != 2 or 0 in amount.shape:
        raise ValueError(f"ink must have shape (H, W), got {amount.shape}.")
    if not (np.isfinite(amount).all() and amount.min() >= 0 and amount.max() <= 1):
        raise ValueError("ink must lie in [0, 1] everywhere.")
    if not amount.any():
        raise ValueError("ink must not be blank: paint something first.")
    if components < 1:
        raise ValueError(f"components must be at least 1, got {components}.")
    if not 0 < extent < math.inf:
        raise ValueError(f"extent must be positive and finite, got {extent:g}.")
    height, width = amount.shape
    rows, columns = np.nonzero(amount)
    mass = amount[rows, columns]
    scale = 2 * extent / max(height, width)
    points = np.stack([(columns + 0.5 - width / 2) * scale, (height / 2 - rows - 0.5) * scale], 1)
    per_side, weights, means = _finest_pooling(points, mass, components, extent)
    std = max(_WIDTH * 2 * extent / per_side, _WIDTH * scale)
    return GaussianMixture(
        torch.from_numpy(weights),
        torch.from_numpy(means),
        torch.full((len(weights),), std, dtype=torch.float64),
    )


def _finest_pooling(
    points: NDArray[np.float64], mass: NDArray[np.float64], components: int, extent: float
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Bisects for the finest grid whose inked cells do not outnumber the components."""
    coarse, fine = 1, 2 * components + 1
    best = _pool(points, mass, coarse, extent)
    while fine - coarse > 1:
        middle = (coarse + fine) // 2
        pooled = _pool(points, mass, middle, extent)
        if len(pooled[0]) <= components:
            coarse, best = middle, pooled
        else:
            fine = middle
    return coarse, *best


def _pool(
    points: NDArray[np.float64], mass: NDArray[np.float64], per_side: int, extent: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ink (K,) and its centre (K, 2) in the inked cells of a per_side × per_side grid."""
    cell = np.floor((points + extent) * (per_side / (2 * extent))).astype(np.int64)
    index = np.clip(cell, 0, per_side - 1) @ np.array([1, per_side])
    total = np.bincount(index, mass).astype(np.float64)
    kept = np.flatnonzero(total > _SMUDGE * total.max())
    centres = [np.bincount(index, mass * points[:, d])[kept] / total[kept] for d in range(2)]
    return total[kept], np.stack(centres, 1)


def word(text: str, components: int = 256) -> GaussianMixture:
    """Writes a word, in Latin, Greek, Cyrillic or Chinese characters, as a density.

    The letters are those that ship inside OpenCV, the same on every machine.

    Args:
        text: One to twelve characters on one line.
        components: Most Gaussians to spend, at least 1.

    Returns:
        A mixture with mean 0 and variance 1.

    Raises:
        ValueError: If the text is blank, too long or has a character that the font lacks.
    """
    # Composed, so that an accent typed after its letter is one character with it.
    shown = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(shown) <= _LONGEST_WORD:
        raise ValueError(f"text must have 1 to {_LONGEST_WORD} characters, got {len(shown)}.")
    missing = "".join(letter for letter in shown if not _can_write(letter))
    if missing:
        raise ValueError(f"text must use characters that the font has, got {missing!r}.")
    return from_ink(_render(shown), components).standardized()


def _render(text: str, height: int = 96) -> NDArray[np.float64]:
    """Ink of a line of text, cropped to its letters, shape (H, W)."""
    import cv2  # here, because loading it takes longer than everything else in this module

    canvas = np.zeros((3 * height, 2 * height * (len(text) + 1)), np.uint8)
    face = cv2.FontFace("uni")
    cv2.putText(canvas, text, (height // 2, 2 * height), (255,), face, height)
    rows, columns = np.nonzero(canvas)
    if not len(rows):
        return np.zeros((1, 1))
    drawn = canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return drawn.astype(np.float64) / 255


def _can_write(letter: str) -> bool:
    """Whether the font draws a character: OpenCV puts a question mark for what it lacks."""
    if letter in " ?":
        return True
    drawn = _render(letter)
    return bool(drawn.any()) and not np.array_equal(drawn, _render("?"))
