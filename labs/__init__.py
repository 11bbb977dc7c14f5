"""The labs: the only package that knows Gradio. `LABS` lists them in display order."""

from labs.flash_attention import LAB as FLASH_ATTENTION
from labs.lab import Lab
from labs.sde import LAB as SDE

LABS: tuple[Lab, ...] = (SDE, FLASH_ATTENTION)
