"""Laws of schedules and processes: the closed forms solve the equations that define them."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from core.densities import GaussianMixture
from core.sde import VE, VP, BrownianPath, Cosine, Drawn, Linear, SubVP

SCHEDULES = [Linear(), Cosine(), Drawn((0.0, 5.0, 2.0, 30.0)), Drawn((1.0, 0.0, 0.0, 8.0, 3.0))]
PROCESSES = [VE(), *[kind(schedule) for kind in (VP, SubVP) for schedule in SCHEDULES]]
unit = st.floats(0, 1)


def kinks(sde):
    """Times at which the coefficients of a process bend."""
    schedule = getattr(sde, "schedule", None)
    if isinstance(schedule, Drawn):
        return [i / (len(schedule.values) - 1) for i in range(len(schedule.values))]
    return [schedule.clipped_from] if isinstance(schedule, Cosine) else []


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_beta_is_the_derivative_of_its_integral(schedule):
    t = torch.linspace(0.003, 0.997, 101, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(schedule.integral(t).sum(), t)
    torch.testing.assert_close(slope, schedule.beta(t).detach(), rtol=1e-9, atol=1e-9)
    assert schedule.integral(0.0) == 0
    assert (schedule.beta(t) > 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(t=unit)
@settings(deadline=None)
def test_a_schedule_is_inverted(schedule, t):
    found = schedule.inverse(schedule.integral(t))
    assert float(found) == pytest.approx(t, abs=1e-12, rel=1e-7)


def test_cosine_is_that_of_nichol_and_dhariwal_until_it_is_clipped():
    schedule = Cosine()
    t = torch.linspace(0, schedule.clipped_from, 50, dtype=torch.float64)
    angle = (t + 0.008) / 1.008 * math.pi / 2
    expected = (angle.cos() / angle.cos()[0]).square()
    torch.testing.assert_close((-schedule.integral(t)).exp(), expected)
    assert float(schedule.beta(0.999)) == pytest.approx(100)
    assert float(VP(schedule).marginal(1.0)[0]) == pytest.approx(0.0115, abs=1e-4)


def test_a_drawing_joins_its_values_by_lines():
    schedule = Drawn((1.0, 3.0, 0.0))
    times = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    expected = torch.tensor([1, 2, 3, 1.505, 0.01], dtype=torch.float64)
    torch.testing.assert_close(schedule.beta(times), expected)
    assert float(schedule.integral(0.5)) == pytest.approx(1)


@pytest.mark.parametrize("sde", PROCESSES)
@pytest.mark.parametrize("t", [1e-3, 0.1, 0.45, 0.9, 1.0])
def test_marginal_solves_the_moment_equations(sde, t):
    # α = exp ∫f and σ² = ∫ g² (α(t)/α(u))² du by quadrature, from the coefficients alone.
    bends = [kink for kink in kinks(sde) if 0 < kink < t]
    options = {"points": bends or None, "epsabs": 1e-13, "epsrel": 1e-11, "limit": 200}

    def growth(u, v):
        return math.exp(quad(lambda w: float(sde.rate(w)), u, v, **options)[0])

    alpha, sigma = (float(value) for value in sde.marginal(t))
    assert alpha == pytest.approx(growth(0, t), abs=1e-6)

    def added(u):
        return float(sde.diffusion(u)) ** 2 * (alpha / float(sde.marginal(u)[0])) ** 2

    variance = quad(added, 0, t, **options)[0]
    assert sigma == pytest.approx(math.sqrt(variance), abs=1e-6)


@pytest.mark.parametrize("sde", PROCESSES)
def test_coefficients_and_marginal_agree_by_differentiation(sde):
    t = torch.linspace(0.003, 0.977, 60, dtype=torch.float64, requires_grad=True)
    alpha, sigma = sde.marginal(t)
    alpha = alpha + 0 * t  # VE's is constant
    (alpha_slope,) = torch.autograd.grad(alpha.sum(), t, retain_graph=True)
    (variance_slope,) = torch.autograd.grad(sigma.square().sum(), t)
    alpha, sigma, rate, g = (
        value.detach() for value in (alpha, sigma, sde.rate(t), sde.diffusion(t))
    )
    torch.testing.assert_close(alpha_slope, rate * alpha)
    torch.testing.assert_close(variance_slope, 2 * rate * sigma**2 + g**2, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("sde", PROCESSES)
def test_clock_and_signal_to_noise_ratio_are_inverted(sde):
    t = torch.linspace(1e-3, 1, 57, dtype=torch.float64)
    torch.testing.assert_close(sde.time_on(sde.clock(t)), t, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(sde.time_at(sde.half_log_snr(t)), t, rtol=1e-7, atol=1e-9)
    t.requires_grad_()
    (pace,) = torch.autograd.grad(sde.clock(t)[1:-1].sum(), t)
    torch.testing.assert_close(pace[1:-1], sde.pace(t).detach()[1:-1])


@pytest.mark.parametrize("sde", PROCESSES)
def test_transitions_compose(sde):
    ratio, variance = 1.0, 0.0
    times = torch.linspace(0, 1, 40, dtype=torch.float64)
    for s, t in pairwise(times):
        step, std = sde.transition(s, t)
        ratio, variance = ratio * step, variance * step**2 + std**2
    alpha, sigma = sde.marginal(1.0)
    assert float(ratio) == pytest.approx(float(alpha), rel=1e-10)
    assert math.sqrt(variance) == pytest.approx(float(sigma), rel=1e-10)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(), VP(Cosine())])
def test_forward_has_the_closed_form_marginals_on_a_coarse_grid(sde, device):
    n = 200_000
    x_0 = torch.full((n, 1), 0.7, dtype=torch.float64, device=device)
    times = torch.tensor([0.0, 0.05, 0.5, 1.0])
    run = sde.forward(x_0, times, BrownianPath((n, 1), seed=3, device=device))
    assert run.positions.shape == (4, n, 1)
    assert torch.equal(run.positions[0], x_0)
    for t, x_t in zip(run.times[1:], run.positions[1:], strict=True):
        alpha, sigma = (float(value) for value in sde.marginal(t))
        assert float(x_t.mean()) == pytest.approx(0.7 * alpha, abs=5 * sigma / math.sqrt(n))
        assert float(x_t.std()) == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(sigma_max=5)])
def test_forward_follows_its_brownian_path_to_first_order(sde):
    x_0 = torch.zeros(100, 2, dtype=torch.float64)
    ends = []
    for steps in (16, 32, 64, 2048):
        path = BrownianPath((100, 2), seed=0)
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        ends.append(sde.forward(x_0, times, path).positions[-1])
    errors = [float((end - ends[-1]).square().mean().sqrt()) for end in ends[:-1]]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert sum(orders) / 2 == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()])
def test_prior_is_the_gaussian_it_says(sde, generator):
    x = sde.prior(100_000, 2, generator, torch.float64)
    assert float(x.std()) == pytest.approx(sde.prior_std, rel=0.01)
    expected = torch.distributions.Normal(0.0, sde.prior_std).log_prob(x).sum(1)
    torch.testing.assert_close(sde.prior_log_prob(x), expected)
    assert float(sde.marginal(1.0)[1]) == pytest.approx(sde.prior_std, rel=1e-3)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()])
def test_each_particle_may_have_its_own_time(sde):
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    t = torch.rand(5, generator=torch.Generator().manual_seed(1))
    one_by_one = [sde.drift(x[i : i + 1], t[i]) for i in range(5)]
    torch.testing.assert_close(sde.drift(x, t), torch.cat(one_by_one))
    assert sde.drift(x, t).dtype == x.dtype
    assert sde.marginal(t)[1].shape == (5,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(beta_min=0), "beta_min must be positive and finite, got 0"),
        (lambda: Linear(beta_max=math.inf), "beta_max must be positive and finite, got inf"),
        (lambda: Cosine(offset=-1), "offset must be non-negative"),
        (lambda: Cosine(beta_max=0.01), "beta_max must be finite and above 0.0389, got 0.01"),
        (lambda: Drawn((1.0,)), "at least 2 numbers, got 1"),
        (lambda: Drawn((1.0, -2.0)), "values must be non-negative and finite, got -2"),
        (lambda: Drawn((0.0, 0.0)), "values must not all be zero"),
        (lambda: Drawn((1.0, 1.0), floor=0), "floor must be positive"),
        (lambda: VE(sigma_min=0), "sigma_min must be positive"),
        (lambda: VE(sigma_min=2, sigma_max=1), "above sigma_min = 2, got 1"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("times", "shape", "message"),
    [
        ([0.0, 2.0], (3, 2), r"times in \[0, 1\]"),
        ([0.5, 0.5], (3, 2), "must increase strictly"),
        ([0.0, 1.0], (4, 2), r"path must have shape \(3, 2\), got \(4, 2\)"),
    ],
)
def test_forward_refuses_bad_times_and_paths(times, shape, message):
    with pytest.raises(ValueError, match=message):
        VP().forward(torch.zeros(3, 2), torch.tensor(times), BrownianPath(shape, 0))


def test_processes_are_values():
    assert VP() == VP(Linear())
    assert hash(VP(Drawn((1.0, 2.0)))) == hash(VP(Drawn((1.0, 2.0))))
    assert GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1)).dim == 2
