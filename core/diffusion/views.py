"""From one cell of the atlas to many pictures: placing, mirroring, recolouring, background.

A cell holds premultiplied colour `c` and alpha `a`, so laying it over a background `b` is
`c + (1 - a) b` (Porter and Duff's "over"), and it may be resampled before that without fringes.

Legend: B pictures, C = 4 channels (red, green, blue, alpha), H and W pixels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Hues in turns, with a factor on saturation: pink is a pale red.
HUES = {
    "red": (0.0, 1.0),
    "orange": (0.075, 1.0),
    "yellow": (0.145, 1.0),
    "green": (0.36, 0.9),
    "blue": (0.59, 1.0),
    "purple": (0.76, 0.9),
    "pink": (0.93, 0.6),
}
# Pixels whose hue is this far (in turns) from the picture's own keep theirs: a blue strawberry has
# a green leaf.
NEAR = 0.14
# Below this saturation a pixel is grey; below this share of coloured ink the whole picture is.
COLOURED = 0.25
COLOURED_SHARE = 0.3
# The mean brightness under which a hue can no longer be named.
NAMEABLE = 0.35


@dataclass(frozen=True)
class Placement:
    """Where pictures go, for each of B pictures.

    Attributes:
        scale: Size relative to the cell (1 fills it), shape (B,).
        shift: Right and down, in fractions of half the picture's side, shape (B, 2).
        mirrored: True where left and right are exchanged, shape (B,).
    """

    scale: Tensor
    shift: Tensor
    mirrored: Tensor


def place(cells_BCHW: Tensor, placement: Placement) -> Tensor:
    """Scales, mirrors and shifts cells; what leaves the frame is cut off.

    Args:
        cells_BCHW: Premultiplied colour and alpha.
        placement: One placement per cell.

    Returns:
        The placed cells, same shape.
    """
    # affine_grid maps output to input coordinates, hence the inverses.
    inverse_B = 1 / placement.scale
    flip_B = torch.where(placement.mirrored, -1.0, 1.0)
    theta_B23 = torch.zeros(len(cells_BCHW), 2, 3, device=cells_BCHW.device)
    theta_B23[:, 0, 0] = inverse_B * flip_B
    theta_B23[:, 1, 1] = inverse_B
    theta_B23[:, 0, 2] = -placement.shift[:, 0] * inverse_B * flip_B
    theta_B23[:, 1, 2] = -placement.shift[:, 1] * inverse_B
    grid = F.affine_grid(theta_B23, list(cells_BCHW.shape), align_corners=False)
    return F.grid_sample(cells_BCHW, grid, align_corners=False)


def over(cells_BCHW: Tensor, background_B3HW: Tensor) -> Tensor:
    """Lays cells over backgrounds in [0, 1] and returns pictures in [-1, 1], shape (B, 3, H, W)."""
    picture = cells_BCHW[:, :3] + background_B3HW * (1 - cells_BCHW[:, 3:])
    return picture.clamp(0, 1) * 2 - 1


def rgb_to_hsv(rgb_B3HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns hue (in turns), saturation and value, each in [0, 1] and of shape (B, H, W)."""
    value, which = rgb_B3HW.max(1)
    chroma = value - rgb_B3HW.amin(1)
    safe = chroma.clamp_min(1e-6)
    red, green, blue = rgb_B3HW.unbind(1)
    sector = torch.stack(
        [(green - blue) / safe % 6, (blue - red) / safe + 2, (red - green) / safe + 4], 1
    )
    hue = sector.gather(1, which[:, None])[:, 0] / 6
    return hue, chroma / value.clamp_min(1e-6), value


def hsv_to_rgb(hue_BHW: Tensor, saturation_BHW: Tensor, value_BHW: Tensor) -> Tensor:
    """Inverts `rgb_to_hsv`; shape (B, 3, H, W)."""
    offsets = torch.tensor([5.0, 3.0, 1.0], device=hue_BHW.device).view(1, 3, 1, 1)
    k = (offsets + hue_BHW[:, None] * 6) % 6
    ramp = torch.minimum(k, 4 - k).clamp(0, 1)
    return value_BHW[:, None] * (1 - saturation_BHW[:, None] * ramp)


@dataclass(frozen=True)
class Ink:
    """What colour pictures are, for each of B pictures; all of shape (B,).

    Attributes:
        hue: The hue that most of the coloured ink is near, in turns.
        share: The coloured part of all ink, in [0, 1].
        value: Mean brightness of the ink, in [0, 1].
    """

    hue: Tensor
    share: Tensor
    value: Tensor


def _straight(cells_BCHW: Tensor) -> Tensor:
    return (cells_BCHW[:, :3] / cells_BCHW[:, 3:].clamp_min(1e-3)).clamp(0, 1)


def _turn(from_hue: Tensor, to_hue: Tensor) -> Tensor:
    """The signed shortest way between hues, in (-0.5, 0.5] turns."""
    return (to_hue - from_hue + 0.5) % 1 - 0.5


def measure_ink(cells_BCHW: Tensor) -> Ink:
    """Finds each picture's own hue: the mean around the peak of a histogram weighted by chroma."""
    hue, saturation, value = rgb_to_hsv(_straight(cells_BCHW))
    alpha = cells_BCHW[:, 3]
    ink_B = alpha.sum((1, 2)).clamp_min(1e-6)
    centres_K = torch.arange(36, device=hue.device) / 36
    away_BNK = _turn(centres_K, hue.flatten(1)[..., None])
    weight_BNK = (away_BNK.abs() < 0.06) * (alpha * saturation * value).flatten(1)[..., None]
    mass_BK = weight_BNK.sum(1)
    peak_B1 = mass_BK.argmax(1, keepdim=True)
    offset_BK = (weight_BNK * away_BNK).sum(1) / mass_BK.clamp_min(1e-6)
    own_B = centres_K[peak_B1[:, 0]] + offset_BK.gather(1, peak_B1)[:, 0]
    share_B = (alpha * (saturation > COLOURED)).sum((1, 2)) / ink_B
    return Ink(own_B % 1, share_B, (alpha * value).sum((1, 2)) / ink_B)


def recolour(cells_BCHW: Tensor, hue_B: Tensor, saturation_B: Tensor) -> Tensor:
    """Moves the main colour of pictures to another hue, keeping light, shade and other colours.

    A picture without a colour of its own (a panda) is tinted as a whole.

    Args:
        cells_BCHW: Premultiplied colour and alpha.
        hue_B: Wanted hues, in turns.
        saturation_B: Factors on saturation.

    Returns:
        Recoloured cells, same shape and alpha.
    """
    ink = measure_ink(cells_BCHW)
    hue, saturation, value = rgb_to_hsv(_straight(cells_BCHW))
    wide = (slice(None), None, None)
    away = _turn(ink.hue[wide], hue)
    tinted = (ink.share < COLOURED_SHARE)[wide]
    moved = (away.abs() < NEAR) & (saturation > 0.12) & ~tinted
    new_hue = torch.where(moved, hue_B[wide] + 0.5 * away, hue)
    new_hue = torch.where(tinted, hue_B[wide], new_hue)
    factor = saturation_B[wide]
    new_saturation = torch.where(moved, saturation * factor, saturation)
    new_saturation = torch.where(tinted, 0.7 * factor, new_saturation)
    lift_B = (0.85 / ink.value.clamp_min(1e-3)).clamp(1, 1.7)
    new_value = torch.where(moved, (value * lift_B[wide]).clamp_max(1), value)
    rgb = hsv_to_rgb(new_hue % 1, new_saturation.clamp(0, 1), new_value)
    return torch.cat([rgb * cells_BCHW[:, 3:], cells_BCHW[:, 3:]], 1)
