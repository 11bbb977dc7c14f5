"""Figures for `core.sde`: time against torchsde, memory, orders, likelihoods, DDPM against VP.

Run `python -m tests.benchmarks.sde` from the root of the repository; `--quick` for a tenth of the
steps, `--threads` for the number of cores. Runs of the contenders are interleaved, because machines
are shared, and figures are medians.
"""

import argparse
import itertools
import math
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core.densities import GaussianMixture, spiral
from core.sde import (
    DDIM,
    DDPM,
    RK45,
    SDE,
    VE,
    VP,
    BrownianPath,
    Chain,
    DPMSolverPP2M,
    EulerMaruyama,
    ExactScore,
    Heun,
    ReverseDiffusion,
    SubVP,
    Training,
    log_likelihood,
    sample,
    sliced_wasserstein,
    train,
)

PARTICLES, STEPS, STOP = 10_000, 200, 1e-3
GAUSSIAN = GaussianMixture(torch.ones(1), torch.tensor([[0.3, -0.2]]), torch.tensor([0.5]))
PROCESSES: tuple[SDE, ...] = (VP(), SubVP(), VE())


def textbook_score(density: GaussianMixture, sde: SDE) -> Callable[[Tensor, Tensor], Tensor]:
    """The score as one would first write it: torch.distributions, differentiated."""

    def score(x: Tensor, t: Tensor) -> Tensor:
        diffused = density.at(sde, t)
        weights, means, stds = (v.to(x) for v in (diffused.weights, diffused.means, diffused.stds))
        normals = torch.distributions.Normal(means, stds[:, None])
        mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(weights), torch.distributions.Independent(normals, 1)
        )
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(mixture.log_prob(x).sum(), x)[0]

    return score


def torchsde_run(
    sde: SDE, score: Callable[[Tensor, Tensor], Tensor], x_1: Tensor, steps: int
) -> Tensor:
    """Euler–Maruyama by torchsde, on the reverse SDE in the time 1 − t."""
    import torchsde

    class ReverseSDE(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, elapsed: Tensor, x: Tensor) -> Tensor:
            t = (1 - elapsed).double()
            return sde.diffusion(t) ** 2 * score(x, t) - sde.drift(x, t)

        def g(self, elapsed: Tensor, x: Tensor) -> Tensor:
            return sde.diffusion((1 - elapsed).double()).to(x).expand_as(x)

    with torch.no_grad():
        times = torch.tensor([0.0, 1 - STOP])
        dt = (1 - STOP) / steps
        return torchsde.sdeint(ReverseSDE(), x_1, times, method="euler", dt=dt)[-1]


def speed(runs: int, steps: int) -> None:
    """10 000 particles, a 256-component score, Euler–Maruyama: seconds and ratio to torchsde."""
    sde, density = VP(), spiral(components=256)
    exact, naive = ExactScore(density, sde), textbook_score(density, sde)
    draw = torch.Generator().manual_seed(0)
    x_1 = sde.prior(PARTICLES, 2, draw, torch.float32)

    def ours(noise: torch.Generator | BrownianPath) -> Tensor:
        return sample(sde, exact, x_1, EulerMaruyama(), steps, noise).positions[-1]

    few = max(1, steps // 10)
    contenders: dict[str, tuple[Callable[[], Tensor], int]] = {
        "ours": (lambda: ours(draw), 1),
        "ours, on a shared Brownian path": (lambda: ours(BrownianPath((PARTICLES, 2), 0)), 1),
        "torchsde, our score": (lambda: torchsde_run(sde, exact, x_1, steps), 1),
        "torchsde, textbook score (a tenth of the steps, x10)": (
            lambda: torchsde_run(sde, naive, x_1, few),
            steps // few,
        ),
    }
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, (run, factor) in contenders.items():
            start = time.perf_counter()
            end = run()
            spent[name].append(factor * (time.perf_counter() - start))
            assert end.isfinite().all()
    medians = {name: statistics.median(seconds) for name, seconds in spent.items()}
    print(
        f"\n{PARTICLES} particles x {steps} steps, {density.components} components, float32, "
        f"{torch.get_num_threads()} thread(s), median of {runs}"
    )
    for name, seconds in medians.items():
        print(f"  {name:54s} {seconds:8.2f} s")
    for name in list(medians)[2:]:
        print(f"  ours / {name:47s} {medians['ours'] / medians[name]:8.2f}")


def _peak(particles: int, queue: "multiprocessing.Queue[float]") -> None:
    """Puts the growth of the peak resident memory during one score, in MiB."""
    score, t = ExactScore(spiral(components=256), VP()), torch.tensor(0.3)
    score(torch.zeros(1000, 2), t)
    x = torch.randn(particles, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    score(x, t)
    queue.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def memory() -> None:
    """Peak memory of one evaluation of the score, each size in a process of its own."""
    print("\npeak memory of one score, 256 components, float32")
    context = multiprocessing.get_context("spawn")
    for particles in (10_000, 100_000, 1_000_000):
        queue = context.Queue()
        process = context.Process(target=_peak, args=(particles, queue))
        process.start()
        grown = queue.get()
        process.join()
        whole = particles * 256 * 4 / 2**20
        print(f"  {particles:9d} particles {grown:8.1f} MiB   (one full matrix: {whole:.0f} MiB)")


def slope(errors: list[float]) -> float:
    """Order of convergence when the number of steps doubles from one error to the next."""
    return float(np.polyfit(np.arange(len(errors)), -np.log2(errors), 1)[0])


def orders() -> None:
    """Measured orders on Gaussian data: ODE against the closed form, SDE along one path."""
    print("\norder of convergence, Gaussian data, float64 (declared, then VP, sub-VP, VE)")
    for sampler in (Heun(), DDIM(), DPMSolverPP2M(), EulerMaruyama(), ReverseDiffusion()):
        found = []
        for sde in PROCESSES:
            draw = torch.Generator().manual_seed(0)
            x_1, score = sde.prior(100, 2, draw, torch.float64), ExactScore(GAUSSIAN, sde)
            if sampler.stochastic:
                path = BrownianPath((100, 2), 0)
                truth = sample(sde, score, x_1, EulerMaruyama(), 6400, path).positions[-1]
            else:
                path = None
                start, stop = GAUSSIAN.at(sde, 1.0), GAUSSIAN.at(sde, STOP)
                truth = (x_1 - start.means) * (stop.stds / start.stds) + stop.means
            ends = [
                sample(sde, score, x_1, sampler, n, path).positions[-1] for n in (50, 100, 200, 400)
            ]
            found.append(slope([float((end - truth).norm()) for end in ends]))
        print(
            f"  {sampler.title:28s} {sampler.order:.0f}   " + "  ".join(f"{o:.2f}" for o in found)
        )


def likelihoods() -> None:
    """Largest error of the ODE's log-likelihood over 64 points, in nats."""
    print("\nlog-likelihood through the ODE, largest error over 64 points, nats (and evaluations)")
    for std, sde in itertools.product((0.02, 0.1, 1.0), PROCESSES):
        density = GaussianMixture(torch.ones(1), torch.tensor([[0.3, -0.2]]), torch.tensor([std]))
        draw = torch.Generator().manual_seed(0)
        x = density.sample(64, generator=draw, dtype=torch.float64)
        score, truth = ExactScore(density, sde), density.log_prob(x)
        true = log_likelihood(x, sde, score, prior="exact", eps=0)
        prior = log_likelihood(x, sde, score, eps=0)
        print(
            f"  Gaussian of std {std:<5g} {sde.title:7s} true p_1 "
            f"{float((true.log_prob - truth).abs().max()):.1e} ({true.evaluations})   prior "
            f"{float((prior.log_prob - truth).abs().max()):.1e}"
        )


def chain() -> None:
    """DDPM against VP: largest gap of the mean coefficient, and distance of samples to data."""
    print("\nDDPM's chain against the VP SDE (distance: sliced Wasserstein, 5000 samples)")
    density, sde, n = spiral(), VP(), 5000
    for length in (10, 30, 100, 300, 1000):
        draw = torch.Generator().manual_seed(0)
        times = torch.arange(length + 1, dtype=torch.float64) / length
        gap = (Chain.of(sde, length).alpha_bar.sqrt() - sde.marginal(times)[0]).abs().max()
        x_1 = sde.prior(n, 2, draw, torch.float32)
        end = sample(sde, ExactScore(density, sde), x_1, DDPM(), length, draw).positions[-1]
        fresh = density.sample(n, generator=draw, dtype=torch.float32)
        apart = sliced_wasserstein(end, fresh, 256, draw)
        print(f"  T = {length:5d}   gap {float(gap):.1e}   distance {float(apart):.3f}")


def evaluations() -> None:
    """Distance to the data against score evaluations, the curve of the lab."""
    print("\ndistance to data by score evaluations (sliced Wasserstein, 5000 samples, spiral, VP)")
    density, sde, n = spiral(), VP(), 5000
    draw = torch.Generator().manual_seed(0)
    x_1, fresh = sde.prior(n, 2, draw), density.sample(n, generator=draw)
    for sampler in (EulerMaruyama(), DDIM(), Heun(), DPMSolverPP2M(), RK45()):
        cells = []
        for budget in (6, 12, 24, 48, 96):
            steps = budget // (sampler.evaluations_per_step or 1)
            run = sample(sde, ExactScore(density, sde), x_1, sampler, steps, draw)
            apart = sliced_wasserstein(run.positions[-1], fresh, 256, torch.Generator())
            cells.append(f"{run.evaluations}: {float(apart):.3f}")
            if math.isclose(sampler.order or 0, 5):
                break
        print(f"  {sampler.title:28s} " + "  ".join(cells))


def training() -> None:
    """Seconds of the default training, and what its samples are worth."""
    density, sde = spiral(), VP()
    draw = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    *_, last = train(density, sde, Training(), draw)
    seconds = time.perf_counter() - start
    x_1 = sde.prior(5000, 2, draw)
    fresh = density.sample(5000, generator=draw)
    end = sample(sde, last.network, x_1, Heun(), 50).positions[-1]
    apart = sliced_wasserstein(end, fresh, 256, draw)
    print(
        f"\ntraining: {last.step} steps in {seconds:.1f} s, distance of samples {float(apart):.3f}"
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Prints every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, one run")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    memory()
    speed(1 if options.quick else 5, STEPS // 10 if options.quick else STEPS)
    orders()
    likelihoods()
    chain()
    evaluations()
    training()


if __name__ == "__main__":
    main(sys.argv[1:])
