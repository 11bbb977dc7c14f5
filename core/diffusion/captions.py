"""What a training picture shows, chosen at random, and the sentence that says so.

A view names everything that was done to the picture: concept, style, colour, size, place, mirror
and background. Words left out mean the usual: white background, middle of the picture, and mostly
the 3d style, so that a bare "apple" has one good answer rather than the mean of three.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.diffusion.concepts import (
    CONCEPTS,
    FAVOURITES,
    HELD_OUT_BACKGROUNDS,
    HELD_OUT_COLOURS,
    HELD_OUT_STYLES,
    Concept,
)
from core.diffusion.sources import FAMILIES
from core.diffusion.views import HUES, Placement, over, place, recolour

BACKGROUNDS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.07, 0.07, 0.09),
    "gray": (0.62, 0.63, 0.66),
    "red": (0.86, 0.26, 0.24),
    "orange": (0.97, 0.62, 0.28),
    "yellow": (0.98, 0.87, 0.42),
    "green": (0.38, 0.73, 0.42),
    "blue": (0.36, 0.58, 0.92),
    "purple": (0.62, 0.43, 0.84),
    "pink": (0.98, 0.74, 0.83),
}
STYLES = tuple(family.style for family in FAMILIES)
SIDES = {"left": (-0.3, 0.0), "right": (0.3, 0.0), "top": (0.0, -0.3), "bottom": (0.0, 0.3)}
COLOURS_ZH = {
    "white": "白色", "black": "黑色", "gray": "灰色", "red": "红色", "orange": "橙色",
    "yellow": "黄色", "green": "绿色", "blue": "蓝色", "purple": "紫色", "pink": "粉色",
}  # fmt: skip
SIDES_ZH = {"left": "左边", "right": "右边", "top": "上方", "bottom": "下方"}
STYLES_ZH = {"3d": "立体", "noto": "noto", "flat": "扁平"}


@dataclass(frozen=True)
class Shares:
    """How often views and captions do something, as probabilities.

    `favourite` is the extra share of the concepts that people ask for first; 0 treats all alike.
    """

    favourite: float = 0.0
    white: float = 0.35
    colour: float = 0.2
    small: float = 0.08
    mirrored: float = 0.06
    silent_white: float = 0.5
    silent_3d: float = 0.4
    silent_style: float = 0.05
    article: float = 0.4
    chinese: float = 0.15


@dataclass(frozen=True)
class View:
    """One picture to be made: its row in the atlas, what is done to it, and its caption.

    `scale` is the size in the frame and `shift` its place, right and down, in half sides.
    """

    row: int
    concept: str
    style: str
    background: str
    colour: str | None
    side: str | None
    small: bool
    mirrored: bool
    scale: float
    shift: tuple[float, float]
    caption: str


@dataclass(frozen=True)
class Catalogue:
    """The pictures that may be drawn from: concepts, and each one's rows by style."""

    concepts: tuple[Concept, ...]
    rows: dict[tuple[str, str], int]

    def pictures(self) -> list[tuple[Concept, str]]:
        """Returns every (concept, style) that training may show."""
        return [
            (concept, style)
            for concept in self.concepts
            for style in STYLES
            if (concept.code, style) in self.rows and (concept.name, style) not in HELD_OUT_STYLES
        ]


def catalogue(
    codes: Sequence[str], styles: Sequence[str], concepts: Iterable[Concept] = CONCEPTS
) -> Catalogue:
    """Joins concepts with the atlas's rows."""
    rows = {pair: row for row, pair in enumerate(zip(codes, styles, strict=True))}
    return Catalogue(tuple(concepts), rows)


def english(view: View, article: bool, silent: tuple[bool, bool]) -> str:
    """Returns "a small blue strawberry, 3d, on the left, on a red background".

    Args:
        view: What to say; its own caption is ignored.
        article: Whether to begin with an article.
        silent: Whether to leave out the style, and the background.
    """
    words = ["small"] if view.small else []
    words += [view.colour] if view.colour else []
    thing = " ".join([*words, view.concept])
    parts = [("an " if thing[0] in "aeiou" else "a ") + thing if article else thing]
    parts += [] if silent[0] else [view.style]
    parts += ["mirrored"] if view.mirrored else []
    parts += [f"on the {view.side}"] if view.side else []
    if not silent[1]:
        parts.append(f"on {'a ' if article else ''}{view.background} background")
    return ", ".join(parts)


def chinese(view: View, name: str, silent: tuple[bool, bool]) -> str:
    """Returns the same in Chinese: "红色背景上的小蓝色草莓，立体，左边"."""
    before = "" if silent[1] else f"{COLOURS_ZH[view.background]}背景上的"
    thing = ("小的" if view.small else "") + (COLOURS_ZH[view.colour] if view.colour else "")
    parts = [before + thing + name]
    parts += [] if silent[0] else [STYLES_ZH[view.style]]
    parts += ["镜像"] if view.mirrored else []
    parts += [SIDES_ZH[view.side]] if view.side else []
    return "，".join(parts)


def _choose(options: Sequence[str], at: float) -> str:
    return options[int(at * len(options))]


def _say(view: View, concept: Concept, at: Sequence[float], shares: Shares) -> str:
    quiet = shares.silent_3d if view.style == STYLES[0] else shares.silent_style
    silent = (at[0] < quiet, view.background == "white" and at[1] < shares.silent_white)
    if at[2] < shares.chinese:
        return chinese(view, concept.aliases_zh[0], silent)
    return english(view, at[3] < shares.article, silent)


def draw_views(
    source: Catalogue, count: int, generator: torch.Generator, shares: Shares | None = None
) -> list[View]:
    """Draws views that respect every held-out pair.

    Each picture is equally likely, apart from the favourites' extra share.

    Args:
        source: What may be drawn.
        count: How many views.
        generator: Source of all choices.
        shares: How often anything is done.
    """
    shares = shares or Shares()
    pictures = source.pictures()
    favourites = [picture for picture in pictures if picture[0].name in FAVOURITES] or pictures
    backgrounds = [name for name in BACKGROUNDS if name != "white"]
    views = []
    for at in torch.rand(count, 17, generator=generator).tolist():
        chosen = favourites if at[12] < shares.favourite else pictures
        concept, style = chosen[int(at[0] * len(chosen))]
        name = concept.name
        allowed = [b for b in backgrounds if (name, b) not in HELD_OUT_BACKGROUNDS]
        hues = [hue for hue in HUES if (name, hue) not in HELD_OUT_COLOURS]
        small = at[4] < shares.small
        side = _choose(list(SIDES), at[6]) if small and at[5] < 0.6 else None
        centre = SIDES[side] if side else (0.0, 0.0)
        view = View(
            row=source.rows[concept.code, style],
            concept=name,
            style=style,
            background="white" if at[1] < shares.white else _choose(allowed, at[2]),
            colour=_choose(hues, at[7]) if at[3] < shares.colour else None,
            side=side,
            small=small,
            mirrored=at[8] < shares.mirrored,
            scale=(0.5 if small else 0.84) + 0.12 * at[9],
            shift=(centre[0] + 0.1 * (at[10] - 0.5), centre[1] + 0.1 * (at[11] - 0.5)),
            caption="",
        )
        caption = _say(view, concept, at[-4:], shares)
        views.append(View(**{**vars(view), "caption": caption}))
    return views


def render_views(views: Sequence[View], cells_NCHW: Tensor) -> Tensor:
    """Makes the pictures of views.

    Args:
        views: What to make.
        cells_NCHW: The atlas, uint8 premultiplied RGBA.

    Returns:
        Pictures in [-1, 1] of shape (B, 3, H, W) on the cells' device.
    """
    device = cells_NCHW.device
    cells = cells_NCHW[torch.tensor([view.row for view in views], device=device)].float() / 255
    painted = [index for index, view in enumerate(views) if view.colour]
    if painted:
        hues = torch.tensor([HUES[views[index].colour or ""] for index in painted], device=device)
        cells[painted] = recolour(cells[painted], hues[:, 0], hues[:, 1])
    placement = Placement(
        torch.tensor([view.scale for view in views], device=device),
        torch.tensor([view.shift for view in views], device=device),
        torch.tensor([view.mirrored for view in views], device=device),
    )
    grounds = torch.tensor([BACKGROUNDS[view.background] for view in views], device=device)
    return over(place(cells, placement), grounds[:, :, None, None].expand(-1, -1, *cells.shape[2:]))
