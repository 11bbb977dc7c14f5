"""The denoiser: a UNet on latents that reads a caption, trained to predict velocity.

A latent z is noised to z_t = α_t z + σ_t ε with α_t² + σ_t² = 1, and the UNet predicts

    v_t = α_t ε - σ_t z

from z_t, t and the caption, under the plain squared error. At the last step α_T = 0 exactly: z_T is
pure noise, as it is when sampling begins; there v = -z still has something to say, where ε would
not. In 12 % of the examples the caption is empty, which teaches the unconditional score that
guidance needs. The text encoder is small and trained together with the UNet.

References:
    Progressive Distillation for Fast Sampling (Salimans & Ho, 2022), section 2.4: v-prediction.
    Common Diffusion Noise Schedules Are Flawed (Lin et al., 2024), section 3.1: zero terminal SNR.
    Classifier-Free Diffusion Guidance (Ho & Salimans, 2022), algorithm 1: caption dropout.
"""

from typing import Any

import torch
from torch import Tensor

from core.diffusion.pool import LatentPool
from core.diffusion.tokenizer import SPECIAL, UNKNOWN_ID
from core.diffusion.training import Objective

DROPOUT = 0.12
# Words that become <unk>, so that a prompt's unknown word leaves its other words in force.
FORGOTTEN = 0.02
BATCH = 64
WIDTH = 128


def noise_schedule() -> dict[str, Any]:
    """Returns the settings that training and every sampler share, by diffusers' names."""
    return {
        "num_train_timesteps": 1000,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
        "clip_sample": False,
        # Means nothing under trailing spacing, but pipelines complain about any other value.
        "steps_offset": 1,
    }


def build_scheduler() -> Any:
    """Returns the DDIM scheduler that the pipeline is published with."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(**noise_schedule())


def build_unet() -> Any:
    """Returns a fresh UNet of 4.82 M parameters, 9.63 MB in half precision."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 96, 112),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def build_text_encoder(tokenizer: Any) -> Any:
    """Returns a fresh two-layer `CLIPTextModel` for a tokenizer's vocabulary."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def plain_attention(unet: Any) -> None:
    """Makes the UNet multiply out its attention: fused attention's backward is slow on a CPU."""
    from diffusers.models.attention_processor import AttnProcessor

    unet.set_attn_processor(AttnProcessor())


def add_noise(latent: Tensor, noise: Tensor, signal_B: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the noised latent z_t and the velocity v_t.

    Args:
        latent: Clean latents z, shape (B, C, H, W).
        noise: Standard normal ε, same shape.
        signal_B: α_t² of each, in [0, 1] (diffusers' `alphas_cumprod`).
    """
    alpha = signal_B.sqrt().view(-1, 1, 1, 1)
    sigma = (1 - signal_B).sqrt().view(-1, 1, 1, 1)
    return alpha * latent + sigma * noise, alpha * noise - sigma * latent


def draw_times(count: int, steps: int, generator: torch.Generator) -> Tensor:
    """Draws time steps, three in four logit-normal and one in four uniform.

    Shapes are decided half-way: nearer to the picture almost nothing depends on the caption, nearer
    to the noise there is only its mean left to predict. The draws are stratified, one from each of
    `count` equally likely parts, for the same mean loss with less variance.

    Args:
        count: How many.
        steps: Time steps of the schedule.
        generator: On the CPU.

    Returns:
        Integers in [0, steps), shape (count,).

    References:
        Scaling Rectified Flow Transformers (Esser et al., 2024), section 3.1: logit-normal times.
    """
    part = torch.arange(count)
    spread = (part + torch.rand(count, generator=generator)) / count
    spread = spread.clamp(1e-6, 1 - 1e-6)
    middling = torch.special.ndtri(spread).sigmoid()
    return (torch.where(part % 4 == 0, spread, middling) * steps).long().clamp_max(steps - 1)


class LatentObjective(Objective):
    """The squared error of the velocity on a batch of captioned latents."""

    def __init__(
        self,
        unet: Any,
        text_encoder: Any,
        pool: LatentPool,
        signal_T: Tensor,
        autocast: torch.dtype | None = None,
        batch_size: int = BATCH,
    ) -> None:
        super().__init__(signal_T.device, autocast)
        self.unet = unet
        self.text_encoder = text_encoder
        self.pool = pool
        # A plain attribute: DDP would broadcast a buffer at every step.
        self.signal_T = signal_T
        self.batch_size = batch_size

    def batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws latents, token numbers, noise and time steps."""
        latents, tokens, _ = self.pool.at(step)
        count = self.batch_size
        chosen = torch.randint(len(latents), (count,), generator=generator)
        dropped = torch.rand(count, 1, generator=generator) < DROPOUT
        forgotten = torch.rand(count, tokens.shape[1], generator=generator) < FORGOTTEN
        times = draw_times(count, len(self.signal_T), generator)
        noise = torch.randn(count, *latents.shape[1:], generator=generator)
        words = tokens[chosen].long()
        words = torch.where(forgotten & (words > SPECIAL), UNKNOWN_ID, words)
        words = torch.where(dropped, self.pool.empty, words)
        batch = (latents[chosen].float(), words, noise, times)
        return tuple(part.to(self.device) for part in batch)

    def forward(self, latents: Tensor, tokens: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Returns the loss of one batch."""
        noised, velocity = add_noise(latents, noise, self.signal_T[times])
        with self.precision():
            words = self.text_encoder(input_ids=tokens).last_hidden_state
            predicted = self.unet(noised, times, words).sample
        error: Tensor = (predicted.float() - velocity).square().mean()
        return error


@torch.no_grad()
def validation_loss(objective: LatentObjective, latents: Tensor, tokens: Tensor) -> float:
    """Returns the loss on given latents, each at 4 times with fixed noise.

    Args:
        objective: Holds the models and the noise schedule.
        latents: Scaled latents, shape (N, C, H, W).
        tokens: Token numbers, shape (N, L).
    """
    generator = torch.Generator().manual_seed(0)
    losses: list[float] = []
    for part in range(4):
        at = (torch.arange(len(latents)) * 1000 // len(latents) + part * 250) % 1000
        noise = torch.randn(latents.shape, generator=generator)
        batch = (latents.float(), tokens.long(), noise, at)
        losses.append(objective(*(tensor.to(objective.device) for tensor in batch)).item())
    return sum(losses) / len(losses)


@torch.no_grad()
def sample(
    objective: LatentObjective, tokens: Tensor, guidance: float, steps: int, seed: int
) -> Tensor:
    """Draws scaled latents by guided DDIM, for previews.

    Args:
        objective: Holds the models.
        tokens: Token numbers, shape (B, L).
        guidance: w in v_u + w (v_c - v_u).
        steps: How many.
        seed: Of the initial noise.
    """
    scheduler = build_scheduler()
    scheduler.set_timesteps(steps)
    side: int = objective.unet.config.sample_size
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(len(tokens), 4, side, side, generator=generator).to(objective.device)
    both = torch.cat([objective.pool.empty.expand_as(tokens), tokens]).to(objective.device)
    with objective.precision():
        words = objective.text_encoder(input_ids=both).last_hidden_state
        for time in scheduler.timesteps:
            velocity = objective.unet(latents.repeat(2, 1, 1, 1), time, words).sample.float()
            without, given = velocity.chunk(2)
            guided = without + guidance * (given - without)
            latents = scheduler.step(guided, time, latents).prev_sample
    return latents
