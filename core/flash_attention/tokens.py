"""A typed sentence as the queries, keys and values of one small attention head.

Nothing here is learned, and the lab says so. A token's embedding is a random unit vector seeded by
a hash of its text, so that equal words are equal everywhere; a sinusoidal position is added;
queries and keys share one random projection, so that a token attends to its own kind and to its
neighbours; values have a projection of their own:

    x = (e(token) + p(position))/√2,   q = k = √(gain·√D)·xA,   v = xB,
    A ~ N(0, 1/D), B ~ N(0, 1),        so that E[q·k'/√D] = gain·(x·x').

References:
    Attention Is All You Need (Vaswani et al., 2017), section 3.5, for the positions.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from dataclasses import dataclass

import torch
from torch import Tensor

WIDTH = 64
"""Columns of an embedding."""
GAIN = 6.0
"""Expected score of a token with itself."""
MOST_CHARACTERS = 2000
MOST_TOKENS = 128

JOINERS = "\u200c\u200d"
APOSTROPHES = "'’"
SINGLE = (  # scripts written without spaces: every character is a token
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x9FFF),  # Chinese characters
    (0xAC00, 0xD7AF),  # hangul
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True)
class TokenHead:
    """One attention head over the tokens of a sentence.

    Attributes:
        tokens: The tokens, T of them, as written.
        q: Queries, shape (T, D), float64.
        k: Keys, likewise; equal to the queries.
        v: Values, likewise.
    """

    tokens: tuple[str, ...]
    q: Tensor
    k: Tensor
    v: Tensor


def tokens_attention(sentence: str, *, head_dim: int = 16, seed: int = 0) -> TokenHead:
    """Queries, keys and values of a sentence, by declared random projections.

    Args:
        sentence: Any text with 1 to 128 tokens in at most 2000 characters.
        head_dim: Columns of the head, D, at least 1.
        seed: Seed of embeddings and projections.

    Raises:
        ValueError: If the sentence has no token, too many characters or too many tokens, or the
            head dimension is smaller than 1.
    """
    if head_dim < 1:
        raise ValueError(f"head_dim must be at least 1, got {head_dim}.")
    tokens = tokenize(sentence)
    if not tokens:
        raise ValueError("sentence must have at least 1 token, got none.")
    if len(tokens) > MOST_TOKENS:
        raise ValueError(f"sentence must have at most {MOST_TOKENS} tokens, got {len(tokens)}.")
    embedded = torch.stack([_random(f"token {seed} {each.casefold()}", WIDTH) for each in tokens])
    unit = torch.nn.functional.normalize(embedded, dim=-1)
    x = (unit + _positions(len(tokens))) / math.sqrt(2)
    shared = _random(f"queries and keys {seed}", WIDTH, head_dim) / math.sqrt(head_dim)
    q = x @ shared * math.sqrt(GAIN * math.sqrt(head_dim))
    return TokenHead(tokens, q, q.clone(), x @ _random(f"values {seed}", WIDTH, head_dim))


def tokenize(sentence: str) -> tuple[str, ...]:
    """Splits a text into words, single Chinese characters, whole emoji and punctuation marks.

    Combining marks, emoji joined by U+200D, skin tones and the two halves of a flag stay together,
    as does an apostrophe inside a word; spaces and control characters separate and vanish.

    Raises:
        ValueError: If the text has more than 2000 characters.
    """
    if len(sentence) > MOST_CHARACTERS:
        raise ValueError(
            f"sentence must have at most {MOST_CHARACTERS} characters, got {len(sentence)}."
        )
    text = unicodedata.normalize("NFC", sentence)
    tokens: list[str] = []
    apart = True
    for char, following in zip(text, text[1:] + " ", strict=False):
        if char.isspace() or (unicodedata.category(char)[0] == "C" and not _extends(char)):
            apart = True
        elif not apart and _joins(tokens[-1], char, following):
            tokens[-1] += char
        elif char not in JOINERS:
            tokens.append(char)
            apart = False
    return tuple(tokens)


def _joins(token: str, char: str, following: str) -> bool:
    """Whether a character continues the token before it."""
    if _extends(char) or token[-1] == "\u200d":
        return True
    if _is_flag_half(char):
        return len(token) == 1 and _is_flag_half(token)
    if not _is_letter(token[0]):
        return False
    return _is_letter(char) or (char in APOSTROPHES and _is_letter(following))


def _extends(char: str) -> bool:
    """Marks, variation selectors, joiners, skin tones, flag tags: parts of what stands before."""
    tone, tag = 0x1F3FB <= ord(char) <= 0x1F3FF, 0xE0020 <= ord(char) <= 0xE007F
    return unicodedata.category(char)[0] == "M" or char in JOINERS or tone or tag


def _is_flag_half(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def _is_letter(char: str) -> bool:
    """Letters and digits of the scripts that write words apart."""
    return char.isalnum() and not any(low <= ord(char) <= high for low, high in SINGLE)


def _random(name: str, *shape: int) -> Tensor:
    """Standard normal numbers that depend on the name alone."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _positions(count: int) -> Tensor:
    """Sinusoidal positions, scaled to unit length, shape (count, WIDTH)."""
    rates = 10000.0 ** (-torch.arange(0, WIDTH, 2, dtype=torch.float64) / WIDTH)
    angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1) / math.sqrt(WIDTH / 2)
