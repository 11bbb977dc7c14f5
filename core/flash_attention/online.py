"""Softmax of one row in one pass, element by element: the recurrence that every tile uses.

    m' = max(m, s),  a = e^(m−m'),  l' = a·l + e^(s−m'),  o' = a·o + e^(s−m')·v

After the last element softmax(s)_k = e^(s_k−m)/l, and o/l = Σ_k softmax(s)_k·v_k.

References:
    Online normalizer calculation for softmax (Milakov & Gimelshein, 2018), algorithm 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class OnlineStep:
    """One element taken in.

    Attributes:
        index: Which element, from 0.
        score: Its score s.
        m_before: Running maximum before it (−∞ before the first).
        m: Running maximum after it.
        rescale: e^(m_before − m), by which everything before it fades; 0 at the first.
        p: e^(s − m), the element's own weight before division.
        total_before: Running sum l before it.
        total: Running sum l after it.
        weights: Softmax of the scores seen so far, shape (index + 1,); zeros while all are −∞.
        out: Weighted mean of the values seen so far, shape (D,), or None without values.
    """

    index: int
    score: float
    m_before: float
    m: float
    rescale: float
    p: float
    total_before: float
    total: float
    weights: Tensor
    out: Tensor | None


def online_softmax(scores_S: Tensor, values_SD: Tensor | None = None) -> Iterator[OnlineStep]:
    """Takes the scores of one row one by one, in float64.

    Args:
        scores_S: Scores, shape (S,); −∞ for a masked element.
        values_SD: Values whose weighted mean is wanted, shape (S, D), or None.

    Returns:
        A generator of one step per element.

    Raises:
        ValueError: If there are no scores, they are not a row, or the values are not one per score.
    """
    if scores_S.ndim != 1 or len(scores_S) == 0:
        raise ValueError(
            f"scores must be one row of at least 1 number, got shape {tuple(scores_S.shape)}."
        )
    if values_SD is not None and (values_SD.ndim != 2 or len(values_SD) != len(scores_S)):
        raise ValueError(
            f"values must have shape ({len(scores_S)}, D), got {tuple(values_SD.shape)}."
        )
    return _steps(scores_S.double(), None if values_SD is None else values_SD.double())


def _steps(scores: Tensor, values: Tensor | None) -> Iterator[OnlineStep]:
    m, total = -math.inf, 0.0
    out = None if values is None else torch.zeros_like(values[0])
    for index, score in enumerate(scores.tolist()):
        m_before, total_before = m, total
        m = max(m_before, score)
        shift = 0.0 if m == -math.inf else m
        rescale, p = math.exp(m_before - shift), math.exp(score - shift)
        total = rescale * total_before + p
        if out is not None and values is not None:
            out = rescale * out + p * values[index]
        divisor = total or 1.0
        yield OnlineStep(
            index=index,
            score=score,
            m_before=m_before,
            m=m,
            rescale=rescale,
            p=p,
            total_before=total_before,
            total=total,
            weights=torch.exp(scores[: index + 1] - shift) / divisor,
            out=None if out is None else out / divisor,
        )
