"""A classifier of noisy latents: p(concept | z_t, t), the other way to guide.

Classifier guidance adds w ∇ log p(y | z_t) to the score, so the classifier must know what a concept
looks like at every noise level. It is trained on the same latents, noised in the same way as the
denoiser's, with cross-entropy over the list of concepts. Residual blocks are modulated by the time,
as the UNet's are.

References:
    Diffusion Models Beat GANs on Image Synthesis (Dhariwal & Nichol, 2021), section 4.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.diffusion.latent import add_noise
from core.diffusion.pool import LatentPool
from core.diffusion.training import Objective

BATCH = 64
SMOOTHING = 0.05


def time_features(times_B: Tensor, width: int) -> Tensor:
    """Returns cosines and sines of time steps at geometrically spaced rates, shape (B, width)."""
    half = width // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half, device=times_B.device) / half)
    angles = times_B.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], 1)


class ResidualBlock(nn.Module):
    """Two convolutions with the time in between; halves height and width."""

    def __init__(self, inputs: int, outputs: int, time_width: int) -> None:
        super().__init__()
        self.norm_in, self.norm_out = nn.GroupNorm(8, inputs), nn.GroupNorm(8, outputs)
        self.conv_in = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_out = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.time = nn.Linear(time_width, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, hidden_BCHW: Tensor, time_BE: Tensor) -> Tensor:
        """Returns features of half the height and width."""
        scale, shift = self.time(time_BE)[:, :, None, None].chunk(2, 1)
        update = self.conv_in(F.silu(self.norm_in(hidden_BCHW)))
        update = self.conv_out(F.silu(self.norm_out(update) * (1 + scale) + shift))
        return F.avg_pool2d(self.skip(hidden_BCHW) + update, 2)


class LatentClassifier(nn.Module):
    """Log-odds of each concept, given noisy latents and their time steps.

    Args:
        classes: How many concepts.
        widths: Channels of the blocks; each halves the resolution.
        latent_channels: Channels of the latents.
    """

    def __init__(
        self,
        classes: int,
        widths: tuple[int, ...] = (64, 96, 128),
        latent_channels: int = 4,
    ) -> None:
        super().__init__()
        self.settings = {
            "classes": classes,
            "widths": list(widths),
            "latent_channels": latent_channels,
        }
        self.time_width = 2 * widths[0]
        self.time = nn.Sequential(nn.Linear(self.time_width, self.time_width), nn.SiLU())
        self.stem = nn.Conv2d(latent_channels, widths[0], 3, padding=1)
        pairs = zip((widths[0], *widths), widths, strict=False)
        self.blocks = nn.ModuleList(ResidualBlock(i, o, self.time_width) for i, o in pairs)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, latents_BCHW: Tensor, times_B: Tensor) -> Tensor:
        """Returns logits of shape (B, classes).

        Args:
            latents_BCHW: Scaled latents, noised.
            times_B: Their time steps, integers in [0, 1000).
        """
        time_BE = self.time(time_features(times_B, self.time_width))
        hidden = self.stem(latents_BCHW)
        for block in self.blocks:
            hidden = block(hidden, time_BE)
        logits: Tensor = self.head(F.silu(hidden).mean((2, 3)))
        return logits


def save_classifier(model: LatentClassifier, folder: Path) -> None:
    """Writes settings and half-precision weights."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(model.settings, indent=2) + "\n")
    halves = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(halves, folder / "model.safetensors")


def load_classifier(folder: Path) -> LatentClassifier:
    """Reads what `save_classifier` wrote, as float32."""
    from safetensors.torch import load_file

    settings = json.loads((folder / "config.json").read_text())
    model = LatentClassifier(**settings)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model


class ClassifierObjective(Objective):
    """Cross-entropy of the concept on noised latents."""

    def __init__(
        self,
        model: nn.Module,
        pool: LatentPool,
        signal_T: Tensor,
        autocast: torch.dtype | None = None,
        batch_size: int = BATCH,
    ) -> None:
        super().__init__(signal_T.device, autocast)
        self.model = model
        self.pool = pool
        # A plain attribute: DDP would broadcast a buffer at every step.
        self.signal_T = signal_T
        self.batch_size = batch_size

    def batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws latents, their concepts' numbers, noise and time steps."""
        pool, count = self.pool.at(step), self.batch_size
        chosen = torch.randint(len(pool.latents), (count,), generator=generator)
        times = torch.randint(len(self.signal_T), (count,), generator=generator)
        noise = torch.randn(count, *pool.latents.shape[1:], generator=generator)
        batch = (pool.latents[chosen].float(), pool.labels[chosen].long(), noise, times)
        return tuple(part.to(self.device) for part in batch)

    def forward(self, latents: Tensor, labels: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Returns the loss of one batch."""
        noised, _ = add_noise(latents, noise, self.signal_T[times])
        with self.precision():
            logits = self.model(noised, times)
        return F.cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING)


@torch.no_grad()
def accuracy(
    model: nn.Module, latents: Tensor, labels: Tensor, signal_T: Tensor, time: int
) -> float:
    """Returns the share of latents, noised to one time step, whose concept is found.

    Args:
        model: The classifier.
        latents: Scaled clean latents, shape (N, C, H, W).
        labels: Concepts' numbers, shape (N,).
        signal_T: α_t² of every time step.
        time: The time step.
    """
    times = torch.full((len(latents),), time)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    noised, _ = add_noise(latents.float(), noise, signal_T.cpu()[times])
    device = next(model.parameters()).device
    found = model(noised.to(device), times.to(device)).argmax(1).cpu()
    return float((found == labels).float().mean())
