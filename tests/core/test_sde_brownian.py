"""Laws of the Brownian path: one path, whatever the grid, and truly Brownian."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sde import BrownianPath

times = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@given(visited=times, seed=st.integers())
@settings(deadline=None, max_examples=50)
def test_a_value_does_not_depend_on_what_was_asked_before(visited, seed):
    path = BrownianPath((3,), seed)
    together = [path.at(t) for t in visited]
    alone = [BrownianPath((3,), seed).at(t) for t in visited]
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one, other)


@given(visited=times)
@settings(deadline=None, max_examples=50)
def test_fine_increments_sum_to_coarse_ones(visited):
    path = BrownianPath((4, 2), seed=0)
    fine = path.increments(torch.tensor(sorted(visited), dtype=torch.float64))
    torch.testing.assert_close(
        fine.sum(0), path.increment(min(visited), max(visited)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("steps", [7, 50, 1000])
def test_increments_are_independent_normals(steps, device):
    n = 20_000 if steps < 1000 else 2_000
    grid = torch.linspace(1, 1e-3, steps + 1, dtype=torch.float64)
    z = BrownianPath((n,), seed=1, device=device).increments(grid) / math.sqrt(0.999 / steps)
    rows = z[:: max(1, steps // 7)]
    correlation = rows @ rows.T / n
    expected = torch.eye(len(rows), dtype=torch.float64, device=device)
    assert z.device.type == device.type
    assert (correlation - expected).abs().max() < 6 / math.sqrt(n)
    assert float(z.mean()) == pytest.approx(0, abs=5 / math.sqrt(z.numel()))
    assert float((z**4).mean()) == pytest.approx(3, rel=0.05)


def test_w_has_the_variance_of_its_time_between_the_finest_nodes_too():
    t = 0.3 + 2**-16
    path = BrownianPath((200_000,), seed=5)
    assert float(path.at(t).var()) == pytest.approx(t, rel=0.02)
    start, length = 0.25, 2**-15  # half of a finest interval
    assert float(path.increment(start, start + length).var()) == pytest.approx(length, rel=0.02)
    assert torch.equal(BrownianPath((4,), 5).at(0.0), torch.zeros(4, dtype=torch.float64))


def test_seeds_and_forks_are_unrelated():
    n = 100_000
    one = BrownianPath((n,), seed=0)
    others = [BrownianPath((n,), seed=1), one.fork(1), one.fork(2)]
    ends = torch.stack([path.at(0.7) for path in (one, *others)])
    correlation = torch.corrcoef(ends) - torch.eye(4)
    assert correlation.abs().max() < 5 / math.sqrt(n)
    assert torch.equal(one.fork(2).at(0.7), BrownianPath((n,), 0).fork(2).at(0.7))


def test_times_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match=r"t must be in \[0, 1\], got 1.5"):
        BrownianPath((2,), 0).at(1.5)
