"""Laws of the distances, and SciPy as an oracle on the line."""

import pytest
import torch
from scipy import stats

from core.sde import energy_distance, sliced_wasserstein


def cloud(n, dim=2, seed=0, device="cpu"):
    draw = torch.Generator(device).manual_seed(seed)
    return torch.randn(n, dim, generator=draw, device=device, dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(400, 400), (400, 150), (7, 5)])
def test_energy_distance_is_scipys_on_the_line(n, m, device):
    x, y = cloud(n, 1, 0, device), cloud(m, 1, 1, device) * 2 + 0.5
    expected = stats.energy_distance(x[:, 0].cpu(), y[:, 0].cpu()) ** 2
    assert float(energy_distance(x, y)) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (300, 200), (7, 5)])
def test_sliced_wasserstein_on_the_line_is_optimal_transport(n, m, device):
    # Repeating every point makes both clouds equally large, and then sorting solves the transport.
    x, y = cloud(n, 1, 0, device), cloud(m, 1, 1, device) * 2 + 0.5
    many_x, many_y = x[:, 0].repeat_interleave(m).sort(), y[:, 0].repeat_interleave(n).sort()
    expected = (many_x.values - many_y.values).square().mean().sqrt()
    torch.testing.assert_close(sliced_wasserstein(x, y), expected)


def test_a_shift_is_seen_as_long_as_it_is():
    x = cloud(500)
    moved = sliced_wasserstein(x, x + torch.tensor([3.0, 4.0]), 4000, torch.Generator())
    assert float(moved) == pytest.approx(5 / 2**0.5, rel=0.02)


@pytest.mark.parametrize("distance", [sliced_wasserstein, energy_distance])
def test_distances_vanish_for_equal_clouds_and_are_symmetric(distance):
    x, y = cloud(200), cloud(300, seed=1) * 1.5
    options = {"generator": torch.Generator().manual_seed(0)}
    options = options if distance is sliced_wasserstein else {}
    assert float(distance(x, x.flip(0), **options)) == pytest.approx(0, abs=1e-6)
    draw = [torch.Generator().manual_seed(0) for _ in range(2)]
    if distance is sliced_wasserstein:
        assert torch.isclose(distance(x, y, 64, draw[0]), distance(y, x, 64, draw[1]))
    else:
        assert torch.isclose(distance(x, y), distance(y, x))
        assert distance(x, y) > 0


@pytest.mark.parametrize("distance", [sliced_wasserstein, energy_distance])
def test_clouds_in_different_spaces_are_refused(distance):
    with pytest.raises(
        ValueError, match=r"shapes \(N, D\) and \(M, D\), got \(4, 2\) and \(4, 3\)"
    ):
        distance(torch.zeros(4, 2), torch.zeros(4, 3))


def test_no_projections_are_refused():
    with pytest.raises(ValueError, match="projections must be at least 1, got 0"):
        sliced_wasserstein(torch.zeros(4, 2), torch.zeros(4, 2), projections=0)
