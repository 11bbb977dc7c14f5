"""Where the tests of core compute."""

import pytest
import torch


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """The device named by --device; the CPU if none is."""
    chosen = torch.device(request.config.getoption("--device", default="cpu"))
    if chosen.type == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return chosen


@pytest.fixture
def generator(device: torch.device) -> torch.Generator:
    """A seeded generator on that device."""
    return torch.Generator(device).manual_seed(0)
