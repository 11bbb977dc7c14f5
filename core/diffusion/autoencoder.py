"""The autoencoder: a 64 × 64 picture as 16 × 16 × 4 numbers, and back.

Diffusion is far cheaper where one number stands for twelve. The encoder E and decoder D are trained
together, before all else, and frozen: everything later lives in their latents. The loss is

    |D(E(x) + σ ε) - x| + ½ |∇D(E(x) + σ ε) - ∇x| + λ Σ_c (mean_c² + (std_c - s)²)

with ε standard normal. The noise makes the decoder forgive small errors of a sampler; the term on
edges keeps outlines crisp; the last term holds every latent channel c at mean zero and one scale s,
as the diffusion process expects.

References:
    High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022), sec. 3.1.
"""

from typing import Any

import torch
from torch import Tensor

from core.diffusion.training import Objective
from core.diffusion.views import HUES, Placement, over, place, recolour

NOISE = 0.06
# AutoencoderTiny's decoder squashes latents beyond ±3: at this scale hardly any get there.
LATENT_SCALE = 0.8
BATCH = 16


def build_autoencoder() -> Any:
    """Returns a fresh `AutoencoderTiny` with a downsampling factor of 4 and 1.37 M parameters."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        encoder_block_out_channels=(64, 64, 64),
        decoder_block_out_channels=(64, 64, 64),
        num_encoder_blocks=(0, 2, 3),
        num_decoder_blocks=(3, 2, 1),
        scaling_factor=1 / LATENT_SCALE,
    )


def edges(picture_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns differences between horizontal and between vertical neighbours."""
    return (
        picture_BCHW[..., 1:] - picture_BCHW[..., :-1],
        picture_BCHW[..., 1:, :] - picture_BCHW[..., :-1, :],
    )


def moment_penalty(latent_BCHW: Tensor, scale: float) -> Tensor:
    """Returns how far the channels' means and standard deviations are from zero and `scale`."""
    mean_C = latent_BCHW.mean((0, 2, 3))
    std_C = latent_BCHW.std((0, 2, 3))
    return mean_C.square().sum() + (std_C - scale).square().sum()


def random_backgrounds(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Draws white, plain or vertically shaded backgrounds in [0, 1], shape (B, 3, H, W)."""
    top = torch.rand(count, 3, 1, 1, generator=generator)
    bottom = torch.rand(count, 3, 1, 1, generator=generator)
    kind = torch.rand(count, 1, 1, 1, generator=generator)
    top = torch.where(kind < 0.3, torch.ones_like(top), top)
    bottom = torch.where(kind < 0.8, top, bottom)
    ramp = torch.linspace(0, 1, size).view(1, 1, size, 1)
    return (top * (1 - ramp) + bottom * ramp).expand(-1, -1, -1, size)


def random_pictures(cells_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Places cells anywhere, in any colour, on any background.

    Args:
        cells_BCHW: Premultiplied RGBA in [0, 1].
        generator: Source of all choices, on the CPU.

    Returns:
        Pictures in [-1, 1], shape (B, 3, H, W), on the cells' device.
    """
    count, device = len(cells_BCHW), cells_BCHW.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    hues = torch.tensor(list(HUES.values()))[
        torch.randint(len(HUES), (count,), generator=generator)
    ].to(device)
    coloured = recolour(cells_BCHW, hues[:, 0], hues[:, 1])
    chosen = (uniform(1, 1, 1) < 0.25).to(device)
    placement = Placement(
        (0.65 + 0.4 * uniform()).to(device),
        (0.3 * (uniform(2) - 0.5)).to(device),
        (uniform() < 0.5).to(device),
    )
    placed = place(torch.where(chosen, coloured, cells_BCHW), placement)
    background = random_backgrounds(count, cells_BCHW.shape[-1], generator).to(device)
    return over(placed, background)


class AutoencoderObjective(Objective):
    """Reconstruction of randomly placed pictures."""

    def __init__(
        self,
        model: Any,
        cells_NCHW: Tensor,
        autocast: torch.dtype | None = None,
        batch_size: int = BATCH,
    ) -> None:
        super().__init__(cells_NCHW.device, autocast)
        self.model = model
        # A plain attribute: DDP would broadcast a buffer at every step.
        self.cells_NCHW = cells_NCHW
        self.batch_size = batch_size

    def batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws pictures and the latents' noise (for a factor of 4 and 4 channels)."""
        chosen = torch.randint(len(self.cells_NCHW), (self.batch_size,), generator=generator)
        cells = self.cells_NCHW[chosen.to(self.device)].float() / 255
        pictures = random_pictures(cells, generator)
        side = pictures.shape[-1] // 4
        noise = torch.randn(self.batch_size, 4, side, side, generator=generator)
        return pictures, noise.to(self.device)

    def forward(self, pictures_BCHW: Tensor, noise_BCHW: Tensor) -> Tensor:
        """Returns the loss of one batch."""
        pictures = pictures_BCHW.contiguous(memory_format=torch.channels_last)
        with self.precision():
            latent = self.model.encode(pictures).latents.float()
            decoded = self.model.decode(latent + NOISE * noise_BCHW).sample.float()
        loss: Tensor = (decoded - pictures).abs().mean() + 0.05 * moment_penalty(
            latent, LATENT_SCALE
        )
        for made, wanted in zip(edges(decoded), edges(pictures), strict=True):
            loss = loss + 0.5 * (made - wanted).abs().mean()
        return loss


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Returns the peak signal-to-noise ratio in decibels over all of some pictures in [-1, 1]."""
    error = (made.clamp(-1, 1) - wanted).div(2).square().mean()
    return -10 * torch.log10(error).item()
