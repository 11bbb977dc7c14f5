"""Where tensors live: the device and dtype to compute with, and the hook for ZeroGPU Spaces."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])


def best_device() -> torch.device:
    """Returns the GPU when there is one, else the CPU; VITRINE_DEVICE ("cuda:1") overrides."""
    chosen = os.environ.get("VITRINE_DEVICE")
    if chosen:
        return torch.device(chosen)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def model_dtype(device: torch.device) -> torch.dtype:
    """Returns the dtype in which models run: float16 on a GPU, float32 on the CPU."""
    return torch.float16 if device.type == "cuda" else torch.float32


def on_gpu(function: F) -> F:
    """Marks a function that a ZeroGPU Space runs with a GPU attached; elsewhere it changes nothing.

    The only place that knows ZeroGPU. There the package `spaces` lends a GPU for the call's
    duration; on every other machine the function is returned as it is.
    """
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in {"1", "true"}:
        return function
    import spaces

    decorated: F = spaces.GPU(function)
    return decorated
