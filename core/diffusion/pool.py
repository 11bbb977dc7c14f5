"""Pools of latents made ahead: the frozen autoencoder runs once a view, not once a step.

Training draws its batches from a pool of views of the atlas. After a number of steps the next pool,
with other views, takes its place, so the model never runs out of new ones. Pool k depends only on
the seed and k; it is kept in the cache, so a resumed run does not make it again.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core.diffusion.cache import replacing
from core.diffusion.captions import Catalogue, Shares, View, draw_views, render_views
from core.diffusion.training import fast_precision, step_generator


class Pool(NamedTuple):
    """Views ready for training.

    Attributes:
        latents: Scaled latents, shape (N, C, H, W).
        tokens: Token numbers of the captions, shape (N, L).
        labels: Numbers of the concepts in their catalogue, shape (N,).
    """

    latents: Tensor
    tokens: Tensor
    labels: Tensor


Make = Callable[[int], Pool]


class LatentPool:
    """Latents and their captions' token numbers, by training step.

    Args:
        make: Returns pool k.
        empty: Token numbers of the empty caption, shape (1, L).
        steps: How many training steps a pool serves.
    """

    def __init__(self, make: Make, empty: Tensor, steps: int = 2500) -> None:
        self.make = make
        self.empty = empty
        self.steps = steps
        self._index = -1
        self._pool: Pool | None = None

    def at(self, step: int) -> Pool:
        """Returns the pool of a step (counted from 0)."""
        index = step // self.steps
        if self._pool is None or index != self._index:
            self._index, self._pool = index, self.make(index)
        return self._pool


@dataclass(frozen=True)
class Encoder:
    """Turns views into latents and captions into token numbers.

    Attributes:
        autoencoder: Frozen; its `scaling_factor` brings latents to unit variance.
        tokenizer: From `build_tokenizer`.
        cells: The atlas, uint8 premultiplied RGBA of shape (N, 4, H, W).
    """

    autoencoder: Any
    tokenizer: Any
    cells: Tensor

    def tokens(self, captions: Sequence[str]) -> Tensor:
        """Returns token numbers of captions, int16 of shape (B, L)."""
        length = self.tokenizer.model_max_length
        found = self.tokenizer(
            list(captions), padding="max_length", truncation=True, max_length=length
        )
        return torch.tensor(found["input_ids"], dtype=torch.int16)

    @torch.no_grad()
    def latents(self, views: Sequence[View]) -> Tensor:
        """Returns scaled latents of views, float16 on the CPU."""
        device, parts = self.cells.device, []
        dtype = fast_precision(device)
        for start in range(0, len(views), 64):
            pictures = render_views(views[start : start + 64], self.cells)
            with torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                latents = self.autoencoder.encode(pictures).latents.float()
            parts.append((latents * self.autoencoder.config.scaling_factor).half().cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Returns pictures of scaled latents."""
        scale = self.autoencoder.config.scaling_factor
        decoded: Tensor = self.autoencoder.decode(latents / scale).sample
        return decoded


def fingerprint(source: Catalogue, shares: Shares, autoencoder: Any) -> str:
    """Returns a short hash of what pools depend on, so that stale ones are never read."""
    digest = hashlib.sha256(repr((source.pictures(), shares)).encode())
    for parameter in autoencoder.parameters():
        digest.update(parameter.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class PoolMaker:
    """Makes pool k for one process, and remembers the newest one on disk.

    Attributes:
        encoder: Makes latents and tokens.
        source: What views are drawn from.
        folder: Where pools are kept.
        size: Views in a pool.
        seed: Seed of all pools.
        shares: How often views do something.
        rank: Of the process; each has pools of its own.
    """

    encoder: Encoder
    source: Catalogue
    folder: Path
    size: int
    seed: int
    shares: Shares
    rank: int = 0

    def __call__(self, index: int) -> Pool:
        """Returns pool `index`."""
        mark = fingerprint(self.source, self.shares, self.encoder.autoencoder)
        path = self.folder / f"views-{mark}-{self.size}-{self.seed}-{self.rank}.pt"
        if path.exists():
            kept = torch.load(path, weights_only=True)
            if kept["index"] == index:
                return Pool(kept["latents"], kept["tokens"], kept["labels"])
        generator = step_generator(self.seed, index, 1_000_000 + self.rank)
        pool = self.make(self.size, generator, self.shares)
        with replacing(path) as partial:
            torch.save({"index": index, **pool._asdict()}, partial)
        return pool

    def make(self, size: int, generator: torch.Generator, shares: Shares) -> Pool:
        """Draws and encodes views that nothing else depends on."""
        numbers = {concept.name: number for number, concept in enumerate(self.source.concepts)}
        views = draw_views(self.source, size, generator, shares)
        return Pool(
            self.encoder.latents(views),
            self.encoder.tokens([view.caption for view in views]),
            torch.tensor([numbers[view.concept] for view in views], dtype=torch.int16),
        )
