"""Learning a score: the network at birth, after training, and how wrong it is said to be."""

import math

import pytest
import torch

from core.densities import GaussianMixture, two_moons
from core.sde import (
    VE,
    VP,
    Heun,
    ScoreNetwork,
    SubVP,
    Training,
    sample,
    score_error,
    sliced_wasserstein,
    train,
)

SIDE = torch.linspace(-3, 3, 50)
GRID = torch.cartesian_prod(SIDE, SIDE)


def seeded():
    return torch.Generator().manual_seed(0)


def last(steps):
    for step in steps:  # noqa: B007
        pass
    return step


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()], ids=repr)
def test_at_birth_the_network_is_the_score_of_a_standard_normal(sde):
    normal = GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    network = ScoreNetwork(sde, generator=seeded())
    for t in (1e-3, 0.3, 1.0):
        error = score_error(network, normal, sde, t, GRID)
        assert error.relative < 1e-5
        assert error.field.shape == (2500,)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()], ids=repr)
def test_a_short_training_learns_the_score(sde):
    data = two_moons()
    step = last(train(data, sde, Training(steps=150), seeded()))
    sigma = float(sde.marginal(0.5)[1])
    newborn = score_error(ScoreNetwork(sde), data, sde, 0.3, GRID * (1 + sigma))
    taught = score_error(step.network, data, sde, 0.3, GRID * (1 + sigma))
    assert step.step == 150
    assert taught.rms < 0.6 * newborn.rms
    x_1 = sde.prior(1000, generator=seeded())
    end = sample(sde, step.network, x_1, Heun(), 40).positions[-1]
    assert not end.requires_grad
    assert sliced_wasserstein(end, data.sample(1000, generator=seeded())) < 0.15


def test_training_is_a_function_of_its_generator_and_can_be_stopped():
    losses = []
    for _ in range(2):
        steps = train(two_moons(), VP(), Training(steps=20), seeded())
        losses.append([next(steps).loss for _ in range(5)])
        steps.close()
    assert losses[0] == losses[1]
    torch.manual_seed(1)
    assert next(train(two_moons(), VP(), Training(steps=20), seeded())).loss == losses[0][0]


def test_score_and_noise_estimate_agree_for_any_times():
    sde, network = SubVP(), ScoreNetwork(SubVP(), generator=seeded()).double()
    torch.nn.init.normal_(network.readout.weight, generator=seeded())
    x = torch.randn(6, 2, dtype=torch.float64, generator=seeded())
    t = torch.rand(6, dtype=torch.float64, generator=seeded())
    _, sigma = sde.marginal(t)
    torch.testing.assert_close(network(x, t), -network.noise_estimate(x, t) / sigma[:, None])
    singly = torch.cat([network(x[i : i + 1], t[i]) for i in range(6)])
    torch.testing.assert_close(network(x, t), singly)


def test_the_error_is_averaged_under_the_density():
    # A score that is off by one everywhere is off by one on average.
    sde, normal = VP(), GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    off = torch.tensor([0.6, 0.8])
    error = score_error(lambda x, t: -x + off, normal, sde, 0.5, 2 * GRID)
    assert error.rms == pytest.approx(1, rel=1e-5)
    assert error.relative == pytest.approx(1 / math.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("name", ["steps", "batch", "width", "depth"])
def test_bad_settings_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Training(**{name: 0})
    with pytest.raises(ValueError, match="learning_rate must be positive, got 0"):
        Training(learning_rate=0.0)
