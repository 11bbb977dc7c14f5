"""Laws and oracles of the samplers.

On Gaussian data the probability-flow ODE has a closed form, so convergence orders are measured
without Monte Carlo; where diffusers has the scheduler, the steps must be the same.
"""

import inspect
import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from core.densities import GaussianMixture, eight_gaussians
from core.sde import (
    DDIM,
    DDPM,
    RK45,
    SAMPLERS,
    SDE,
    VE,
    VP,
    BrownianPath,
    Chain,
    Cosine,
    DPMSolverPP2M,
    Drawn,
    EulerMaruyama,
    ExactScore,
    Heun,
    PredictorCorrector,
    Reverse,
    ReverseDiffusion,
    SubVP,
    denoised,
    sample,
    sliced_wasserstein,
    trace,
)
from core.sde.dormand_prince import dormand_prince_step, integrate

PROCESSES = [VP(), SubVP(), VE(), VP(Cosine())]
EVERY = [kind() for kind in SAMPLERS] + [DDIM(eta=1.0), PredictorCorrector(corrector_steps=2)]
GAUSSIAN = GaussianMixture(torch.ones(1), torch.tensor([[0.3, -0.2]]), torch.tensor([0.5]))


def noise_for(sde, n=64, seed=0, dtype=torch.float64, device="cpu"):
    return sde.prior(n, 2, torch.Generator(device).manual_seed(seed), dtype)


def flow(sde, x_1, t, start=1.0):
    """Closed form of the probability-flow ODE on Gaussian data, from `start` to t."""
    before, after = GAUSSIAN.at(sde, start), GAUSSIAN.at(sde, t)
    return (x_1 - before.means) * (after.stds / before.stds) + after.means


def slope(errors):
    """Order of convergence when the number of steps doubles from one error to the next."""
    return np.polyfit(np.arange(len(errors)), -np.log2(errors), 1)[0]


@pytest.mark.parametrize("sde", PROCESSES, ids=repr)
@pytest.mark.parametrize("sampler", [Heun(), DDIM(), DPMSolverPP2M()])
def test_ode_samplers_converge_at_their_order(sde, sampler):
    x_1, score = noise_for(sde), ExactScore(GAUSSIAN, sde)
    truth = flow(sde, x_1, 1e-3)
    errors = [
        float((sample(sde, score, x_1, sampler, steps).positions[-1] - truth).norm())
        for steps in (60, 120, 240, 480)
    ]
    assert slope(errors) == pytest.approx(sampler.order, abs=0.15)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()], ids=repr)
def test_dormand_prince_steps_converge_at_order_five(sde):
    start, stop = 0.5, 0.2
    x = noise_for(sde)
    truth = flow(sde, x, stop, start)
    velocity = Reverse(sde, ExactScore(GAUSSIAN, sde)).velocity
    errors = []
    for steps in (20, 40, 80):
        times = torch.linspace(start, stop, steps + 1, dtype=torch.float64)
        x_t, v_t = x, velocity(x, times[0])
        for s, t in pairwise(times):
            step = dormand_prince_step(velocity, s, t, x_t, v_t)
            x_t, v_t = step.x_t, step.slopes[-1]
        errors.append(float((x_t - truth).norm()))
    assert slope(errors) == pytest.approx(RK45().order, abs=0.15)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(), VP(Drawn((0.0, 5.0, 2.0, 30.0)))], ids=repr)
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8])
def test_rk45_keeps_its_tolerance_at_and_between_its_steps(sde, tolerance):
    x_1 = noise_for(sde)
    run = sample(sde, ExactScore(GAUSSIAN, sde), x_1, RK45(tolerance), 33)
    for t, x_t in zip(run.times, run.positions, strict=True):
        assert (x_t - flow(sde, x_1, t)).abs().max() < 20 * tolerance * (1 + x_1.abs().max())


@pytest.mark.parametrize("sde", [VP(), VE()], ids=repr)
def test_interpolation_has_order_four(sde):
    velocity, x = Reverse(sde, ExactScore(GAUSSIAN, sde)).velocity, noise_for(sde)
    errors = []
    for length in (0.1, 0.05, 0.025):
        s = torch.tensor(0.7, dtype=torch.float64)
        step = dormand_prince_step(velocity, s, s - length, x, velocity(x, s))
        middle = step.at(s - 0.4 * length)
        errors.append(float((middle - flow(sde, x, s - 0.4 * length, 0.7)).norm()))
    assert slope(errors) == pytest.approx(5, abs=0.3)  # of one step: one more than over many
    nearly = step.at(s - (1 - 1e-12) * length)
    torch.testing.assert_close(nearly, step.x_t, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE(sigma_max=5)], ids=repr)
@pytest.mark.parametrize("sampler", [EulerMaruyama(), ReverseDiffusion()])
def test_sde_samplers_converge_along_one_brownian_path(sde, sampler):
    # The strong order is 1 and not ½ because g does not depend on x.
    n = 100
    x_1, score = noise_for(sde, n), ExactScore(GAUSSIAN, sde)
    path = BrownianPath((n, 2), seed=0)
    ends = [
        sample(sde, score, x_1, sampler, steps, path).positions[-1] for steps in (25, 50, 100, 1600)
    ]
    errors = [float((end - ends[-1]).norm()) for end in ends[:-1]]
    assert slope(errors) == pytest.approx(sampler.order, abs=0.15)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()], ids=repr)
@pytest.mark.parametrize(
    "sampler",
    [EulerMaruyama(), ReverseDiffusion(), PredictorCorrector(), DDIM(0.5), DDIM(1.0)],
    ids=repr,
)
def test_stochastic_samplers_end_in_the_right_gaussian(sde, sampler):
    n = 10_000
    x_1, path = noise_for(sde, n), BrownianPath((n, 2), seed=0)
    end = sample(sde, ExactScore(GAUSSIAN, sde), x_1, sampler, 300, path).positions[-1]
    truth = GAUSSIAN.at(sde, 1e-3)
    torch.testing.assert_close(end.mean(0), truth.means[0], rtol=0, atol=0.025)
    assert float(end.std(0).mean()) == pytest.approx(float(truth.stds), rel=0.03)


@pytest.mark.parametrize("sampler", EVERY, ids=repr)
def test_every_sampler_recovers_the_data(sampler, device):
    sde, data, n = VP(), eight_gaussians(), 2000
    draw = torch.Generator(device).manual_seed(0)
    x_1 = sde.prior(n, 2, draw, torch.float32)
    run = sample(sde, ExactScore(data, sde), x_1, sampler, 100, draw)
    fresh = data.sample(n, generator=draw, dtype=torch.float32)
    assert sliced_wasserstein(run.positions[-1], fresh, 64, draw) < 0.12
    assert sliced_wasserstein(run.positions[0], fresh, 64, draw) > 0.2


@pytest.mark.parametrize("sampler", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_dtype_device_times_and_evaluations(sampler, dtype, device):
    sde, calls = VP(), []

    def score(x, t):
        calls.append(t)
        assert t.ndim == 0
        return -x

    x_1 = noise_for(sde, 5, dtype=dtype, device=device)
    run = sample(sde, score, x_1, sampler, 7, torch.Generator(device).manual_seed(0))
    assert run.positions.shape == (8, 5, 2)
    assert run.positions.dtype == dtype
    assert run.positions.device == x_1.device
    assert run.times[0] == 1
    assert run.times[-1] == (0 if isinstance(sampler, DDPM) else 1e-3)
    assert (run.times.diff() < 0).all()
    assert run.evaluations == len(calls)
    if sampler.evaluations_per_step is not None:
        assert run.evaluations == 7 * sampler.evaluations_per_step


@pytest.mark.parametrize("sampler", EVERY, ids=repr)
def test_pictures_are_particles_too(sampler):
    x_1 = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    path = BrownianPath(tuple(x_1.shape), 0)
    run = sample(VP(), lambda x, t: -x, x_1, sampler, 4, path)
    assert run.positions.shape == (5, 2, 3, 4, 4)
    assert run.positions.isfinite().all()


@pytest.mark.parametrize("sampler", EVERY, ids=repr)
def test_a_path_makes_a_run_repeatable_and_a_trace_can_be_stopped(sampler):
    sde = VP()
    score, x_1 = ExactScore(eight_gaussians(), sde), noise_for(sde, 10)
    runs = [sample(sde, score, x_1, sampler, 9, BrownianPath((10, 2), 4)) for _ in range(2)]
    assert torch.equal(runs[0].positions, runs[1].positions)
    frames = trace(sde, score, x_1, sampler, 9, BrownianPath((10, 2), 4))
    start, first = next(frames), next(frames)
    assert torch.equal(start.x, x_1)
    assert torch.equal(first.x, runs[0].positions[1])
    assert (first.index, first.time) == (1, float(runs[0].times[1]))
    assert first.evaluations > start.evaluations == 0
    frames.close()


@pytest.mark.parametrize("sampler", EVERY, ids=repr)
def test_the_code_shown_is_short(sampler):
    assert len(inspect.getsource(sampler.shown).splitlines()) <= 15
    assert sampler.title
    assert sampler.key


def test_keys_are_unique():
    assert len({kind.key for kind in SAMPLERS}) == len(SAMPLERS)


@pytest.mark.parametrize("sde", PROCESSES, ids=repr)
def test_the_solver_of_dpm_steps_evenly_in_log_snr(sde):
    grid = DPMSolverPP2M().grid(sde, 20)
    steps = sde.half_log_snr(grid).diff()
    torch.testing.assert_close(steps, steps.mean().expand(20), rtol=1e-6, atol=0)
    assert (grid[0], grid[-1]) == (1, 1e-3)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()], ids=repr)
def test_ddim_is_exact_for_a_point(sde):
    # One datum: x̂_0 never changes, so DDIM and DPM-Solver++ need a single step.
    point = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    score = ExactScore(GaussianMixture(torch.ones(1), point, torch.tensor([1e-9])), sde)
    x_1 = noise_for(sde, 6)
    (alpha_1, sigma_1), (alpha, sigma) = sde.marginal(1.0), sde.marginal(0.3)
    expected = alpha * point + sigma * (x_1 - alpha_1 * point) / sigma_1
    times = torch.tensor([1.0, 0.3], dtype=torch.float64)
    for sampler in (DDIM(), DPMSolverPP2M()):
        torch.testing.assert_close(sample(sde, score, x_1, sampler, times).positions[-1], expected)
    torch.testing.assert_close(denoised(sde, score, x_1, 1.0), point.expand(6, 2))


@pytest.mark.parametrize("eta", [0.5, 1.0])
@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()], ids=repr)
def test_ddim_keeps_the_marginal_for_every_eta(sde, eta):
    # For a point of data each step maps p_s to p_t exactly: N(α_t x_0, σ_t²).
    n = 200_000
    point = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    score = ExactScore(GaussianMixture(torch.ones(1), point, torch.tensor([1e-9])), sde)
    draw = torch.Generator().manual_seed(0)
    (alpha_1, sigma_1), (alpha, sigma) = sde.marginal(0.8), sde.marginal(0.3)
    x_s = alpha_1 * point + sigma_1 * torch.randn(n, 2, generator=draw, dtype=torch.float64)
    times = torch.tensor([0.8, 0.3], dtype=torch.float64)
    x_t = sample(sde, score, x_s, DDIM(eta), times, draw).positions[-1]
    error = float(5 * sigma) / math.sqrt(n)
    torch.testing.assert_close(x_t.mean(0), (alpha * point)[0], rtol=0, atol=error)
    torch.testing.assert_close(x_t.std(0), sigma.expand(2), rtol=0.01, atol=0)


def test_the_corrector_repairs_the_marginal():
    # Particles that are too wide by half relax towards p_t.
    sde, t, n = VP(), torch.tensor(0.5, dtype=torch.float64), 20_000
    score, target = ExactScore(GAUSSIAN, sde), GAUSSIAN.at(sde, t)
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(n, 2, generator=draw, dtype=torch.float64)
    times = torch.tensor([0.5 + 1e-9, 0.5], dtype=torch.float64)
    x = target.means + 1.5 * target.stds * noise
    sampler = PredictorCorrector(corrector_steps=100)
    end = sample(sde, score, x, sampler, times, draw).positions[-1]
    assert float((end - target.means).std()) == pytest.approx(float(target.stds), rel=0.05)


def test_ddpm_is_ho_et_al_and_approaches_the_sde():
    chain = Chain.of(VP(), 1000)
    assert float(chain.beta[1]) == pytest.approx(1e-4)
    assert float(chain.beta[-1]) == pytest.approx(0.02)
    gaps = []
    for length in (250, 500, 1000, 2000):
        chain = Chain.of(VP(), length)
        times = torch.arange(length + 1, dtype=torch.float64) / length
        gaps.append(float((chain.alpha_bar.sqrt() - VP().marginal(times)[0]).abs().max()))
    assert gaps[2] < 0.004
    assert slope(gaps) == pytest.approx(DDPM().order, abs=0.05)


def test_ddpm_with_a_thousand_steps_samples_the_data():
    sde, n = VP(), 4000
    draw = torch.Generator().manual_seed(0)
    x_1 = sde.prior(n, 2, draw, torch.float64)
    end = sample(sde, ExactScore(GAUSSIAN, sde), x_1, DDPM(), 1000, draw).positions[-1]
    torch.testing.assert_close(end.mean(0), GAUSSIAN.means[0], rtol=0, atol=0.03)
    assert float(end.std(0).mean()) == pytest.approx(0.5, rel=0.03)


class Tabulated(SDE):
    """The process in a scheduler's table of α_bar: index i is at t = (i + 1)/T."""

    title = "table"

    def __init__(self, alpha_bar):
        self.alpha_bar = alpha_bar

    def marginal(self, t):
        t = torch.as_tensor(t, dtype=torch.float64)
        power = self.alpha_bar[(t * len(self.alpha_bar)).round().long() - 1]
        return power.sqrt(), (1 - power).sqrt()

    def rate(self, t):
        raise NotImplementedError

    diffusion = rate


def scheduler(name, **options):
    """A scheduler of diffusers with float64 tables, 1000 training steps and DDPM's betas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffusers' own, at import
        import diffusers

    betas = np.linspace(1e-4, 0.02, 1000)
    made = getattr(diffusers, name)(trained_betas=betas, **options)
    made.betas = torch.from_numpy(betas)
    made.alphas = 1 - made.betas
    made.alphas_cumprod = made.alphas.cumprod(0)
    if hasattr(made, "final_alpha_cumprod"):
        made.final_alpha_cumprod = made.alphas_cumprod[0]
    return made


def peer_run(peer, x, **options):
    """Runs a scheduler on the noise prediction ε(x) = tanh(2 x), returning every frame."""
    frames = []
    for t in peer.timesteps:
        x = peer.step(torch.tanh(2 * x), t, x, **options).prev_sample
        frames.append(x)
    return torch.stack(frames)


def our_run(peer, x, sampler, noise=None):
    """The same with a sampler of ours on the scheduler's own times."""
    sde = Tabulated(peer.alphas_cumprod)
    times = torch.cat([(peer.timesteps.double() + 1) / 1000, torch.tensor([1e-3])])

    def score(x, t):
        return -torch.tanh(2 * x) / sde.marginal(t)[1]

    return sample(sde, score, x, sampler, times, noise).positions[1:]


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_steps_are_diffusers(eta):
    peer = scheduler(
        "DDIMScheduler", clip_sample=False, set_alpha_to_one=False, timestep_spacing="trailing"
    )
    peer.set_timesteps(20)
    x, draws = noise_for(VP(), 8), [torch.Generator().manual_seed(3) for _ in range(2)]
    expected = peer_run(peer, x, eta=eta, generator=draws[0])
    torch.testing.assert_close(
        our_run(peer, x, DDIM(eta), draws[1]), expected, rtol=1e-10, atol=1e-10
    )


def test_dpm_solver_steps_are_diffusers():
    peer = scheduler(
        "DPMSolverMultistepScheduler",
        lower_order_final=False,
        final_sigmas_type="sigma_min",
        timestep_spacing="trailing",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it hands torch's tensors to NumPy the old way
        peer.set_timesteps(20)
    # Whatever it is given, it computes in float32.
    x = noise_for(VP(), 8)
    expected = peer_run(peer, x)
    torch.testing.assert_close(our_run(peer, x, DPMSolverPP2M()), expected, rtol=5e-6, atol=5e-6)


@pytest.mark.parametrize("length", [10, 50])
def test_ddpm_steps_are_diffusers(length):
    chain = Chain.of(VP(), length)
    peer = scheduler("DDPMScheduler", clip_sample=False, variance_type="fixed_small")
    peer.betas, peer.alphas, peer.alphas_cumprod = (
        value[1:] for value in (chain.beta, 1 - chain.beta, chain.alpha_bar)
    )
    peer.timesteps = torch.arange(length - 1, -1, -1)
    peer.num_inference_steps, peer.config.num_train_timesteps = length, length
    x, draws = noise_for(VP(), 8), [torch.Generator().manual_seed(3) for _ in range(2)]
    expected = peer_run(peer, x, generator=draws[0])
    steps = iter(range(length, 0, -1))

    def score(x, t):
        return -torch.tanh(2 * x) / (1 - chain.alpha_bar[next(steps)]).sqrt()

    ours = sample(VP(), score, x, DDPM(), length, draws[1]).positions[1:]
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


def test_predictor_corrector_steps_are_diffusers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import ScoreSdeVeScheduler
    sde, length = VE(), 12
    peer = ScoreSdeVeScheduler(length, snr=0.16)
    times = torch.linspace(1, 1e-3, length, dtype=torch.float64)
    _, sigmas = sde.marginal(times.flip(0))
    # Its index is ⌊timestep · (length − 1)⌋, which rounding must not lower.
    peer.discrete_sigmas = sigmas.float()
    peer.timesteps = torch.linspace(1, 0, length) + 1e-6
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    x = noise_for(sde, 8, dtype=torch.float32)
    score, expected = ExactScore(eight_gaussians(), sde), []
    y = x
    for i in range(length - 1):
        y = peer.step_pred(score(y, times[i]), peer.timesteps[i], y, draws[0]).prev_sample
        y = peer.step_correct(score(y, times[i + 1]), y, draws[0]).prev_sample
        expected.append(y)
    ours = sample(sde, score, x, PredictorCorrector(), times, draws[1]).positions[1:]
    torch.testing.assert_close(ours, torch.stack(expected), rtol=1e-4, atol=1e-4)


def test_bad_requests_are_refused():
    x = torch.zeros(3, 2)
    cases = [
        (VP(), Heun(), 0, None, "steps must be at least 1, got 0"),
        (VP(), Heun(), torch.tensor([1.0]), None, "2 times or more"),
        (VP(), Heun(), torch.tensor([0.5, 0.6]), None, "fall strictly"),
        (VP(), Heun(), torch.tensor([1.0, 0.0]), None, "to above 0, got 1 to 0"),
        (VP(), EulerMaruyama(), 5, None, "for Euler–Maruyama, got None"),
        (VP(), DDIM(0.5), 5, None, "for DDIM, got None"),
        (VP(), Heun(), 5, BrownianPath((4, 2), 0), r"shape \(3, 2\), got \(4, 2\)"),
        (VE(), DDPM(), 5, BrownianPath((3, 2), 0), "discretisation of VP, got VE"),
        (VP(), DDPM(), torch.tensor([1.0, 0.5]), BrownianPath((3, 2), 0), "must be a number"),
    ]
    for sde, sampler, steps, noise, message in cases:
        with pytest.raises(ValueError, match=message):
            sample(sde, lambda x, t: -x, x, sampler, steps, noise)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DDIM(1.5), r"eta must be in \[0, 1\], got 1.5"),
        (
            lambda: PredictorCorrector(corrector_steps=0),
            "corrector_steps must be at least 1, got 0",
        ),
        (lambda: PredictorCorrector(snr=0), "snr must be positive and finite, got 0"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rk45_gives_up_in_a_sentence():
    x = torch.ones(1, 1, dtype=torch.float64)
    start, stop = torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    with pytest.raises(ValueError, match="tolerance must be between 0 and 1, got 0"):
        list(integrate(lambda x, t: -x, x, start, stop, 0))
    with pytest.raises(ArithmeticError, match="not a number"):
        list(integrate(lambda x, t: x * math.nan, x, start, stop, 1e-5))
    with pytest.raises(ArithmeticError, match="did not reach 0 in 1000 steps"):
        list(integrate(lambda x, t: (1e8 * t).sin() * 1e8, x, start, stop, 1e-8))
