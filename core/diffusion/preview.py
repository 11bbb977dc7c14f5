"""What is looked at while training: sheets of pictures, and the rows held out for it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.diffusion.cache import replacing
from core.diffusion.sources import Atlas

PREVIEW_PROMPTS = (
    "apple", "pizza", "strawberry", "hamburger", "doughnut", "carrot", "watermelon", "cake",
    "panda", "tiger", "frog", "penguin", "butterfly", "octopus", "owl", "dog",
    "cat, flat", "fox, flat", "car, flat", "rocket, flat", "house, noto", "guitar, noto",
    "robot, noto", "bicycle, noto", "crying face", "angry face", "ghost", "sun", "rose",
    "cactus", "rainbow", "crown",
    "a blue strawberry", "a panda on a yellow background", "a green car", "a purple apple",
    "a pink elephant", "a cat on a pink background", "a blue rose", "a red dragon",
    "a green bear", "a purple dress", "a yellow bus on a blue background",
    "a red balloon on a black background", "黄色背景上的企鹅", "蓝色的心", "红色背景上的狗",
    "a small chick, on the left",
)  # fmt: skip


def save_grid(pictures_BCHW: Tensor, columns: int, path: Path) -> None:
    """Writes pictures in [-1, 1] as one sheet, row by row; their number fills whole rows."""
    pixels = ((pictures_BCHW.clamp(-1, 1) + 1) * 127.5).round().byte().cpu()
    rows = pixels.permute(0, 2, 3, 1).numpy().reshape(-1, columns, *pixels.shape[2:], 3)
    sheet = np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)
    with replacing(path) as partial:
        Image.fromarray(sheet).save(partial, quality=92)


def cells_tensor(atlas: Atlas, rows: Sequence[int], device: torch.device) -> Tensor:
    """Returns the chosen cells as uint8 of shape (N, 4, 64, 64)."""
    pixels = torch.from_numpy(atlas.pixels[list(rows)])
    return pixels.permute(0, 3, 1, 2).contiguous().to(device)


def held_out_rows(atlas: Atlas) -> list[int]:
    """Returns one row in forty, spread over codes and styles, that the autoencoder never sees."""
    names = [f"{c}/{s}".encode() for c, s in zip(atlas.codes, atlas.styles, strict=True)]
    return [i for i, name in enumerate(names) if hashlib.sha256(name).digest()[0] % 40 == 0]
