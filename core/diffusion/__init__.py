"""Vitrine's own text-to-image model: latent diffusion small enough to train and run on a CPU.

`data` builds captioned pictures out of emoji, `train` fits the autoencoder, the denoiser and the
noise-aware classifier, `publish` writes them in diffusers' directory format.
"""
