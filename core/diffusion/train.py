"""Command line: `python -m core.diffusion.train autoencoder|unet|classifier`.

Training stays on a plateau of the learning rate until it is stopped (Ctrl-C) or reaches `--steps`,
and continues from there when called again. `--tail N` branches off: N more steps bring the rate to
zero. Each run ends by writing the averaged weights to the cache folder, under `--export`;
`python -m core.diffusion.publish` makes a pipeline of them. Run under `torchrun` for several GPUs.

Without state files, `--init` starts from a published pipeline instead of from noise.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from core.diffusion.autoencoder import (
    AutoencoderObjective,
    build_autoencoder,
    psnr,
    random_pictures,
)
from core.diffusion.cache import cache_directory
from core.diffusion.captions import Catalogue, Shares, catalogue
from core.diffusion.classifier import (
    ClassifierObjective,
    LatentClassifier,
    accuracy,
    save_classifier,
)
from core.diffusion.latent import (
    LatentObjective,
    build_scheduler,
    build_text_encoder,
    build_unet,
    plain_attention,
    sample,
    validation_loss,
)
from core.diffusion.pool import Encoder, LatentPool, Pool, PoolMaker
from core.diffusion.preview import PREVIEW_PROMPTS, cells_tensor, held_out_rows, save_grid
from core.diffusion.runs import ENDLESS, Run, run_training
from core.diffusion.sources import load_atlas
from core.diffusion.tokenizer import build_tokenizer
from core.diffusion.training import (
    Schedule,
    Trainer,
    fast_precision,
    start_processes,
    step_generator,
)

POOL_VIEWS = 10_000


def write_metrics(folder: Path, trainer: Trainer, batch: int, **figures: float) -> None:
    """Writes what a card quotes of a run beside its weights."""
    metrics = {
        "seed": trainer.schedule.seed,
        "steps": trainer.step,
        "batch": batch,
        "seconds": round(trainer.seconds),
        **{name: round(value, 4) for name, value in figures.items()},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")


def train_autoencoder(arguments: argparse.Namespace) -> None:
    """Trains the autoencoder on every picture of the atlas but the held-out ones."""
    device = start_processes()
    folder = cache_directory()
    atlas = load_atlas(folder / "atlas.npz")
    held = set(held_out_rows(atlas))
    seen = cells_tensor(atlas, [i for i in range(len(atlas.codes)) if i not in held], device)
    unseen = cells_tensor(atlas, sorted(held), device)
    pictures = random_pictures(unseen.float() / 255, step_generator(1, 0))
    model = build_autoencoder().to(device, memory_format=torch.channels_last)
    objective = AutoencoderObjective(model, seen, fast_precision(device))

    @torch.no_grad()
    def fidelity() -> float:
        return psnr(model.decode(model.encode(pictures).latents).sample, pictures)

    @torch.no_grad()
    def preview(step: int) -> None:
        made = model.decode(model.encode(pictures).latents).sample
        print(f"step {step}: held-out PSNR {psnr(made, pictures):.2f} dB", flush=True)
        sheet = torch.cat([pictures[:16], made[:16], pictures[16:32], made[16:32]])
        save_grid(sheet, 16, folder / "previews" / f"autoencoder-{step:06d}.png")

    schedule = Schedule(
        arguments.steps, arguments.tail, rate=arguments.rate, seed=arguments.seed, weight_decay=1e-4
    )
    run = Run("autoencoder", objective, schedule, folder, preview, arguments.preview)
    trainer = run_training(run)
    if trainer.rank:
        return
    with torch.no_grad():
        sampled = random_pictures(seen[::16].float() / 255, step_generator(2, 0))
        deviation = model.encode(sampled).latents.std().item()
    model.register_to_config(scaling_factor=round(1 / deviation, 4))
    target = folder / (arguments.export or "autoencoder")
    model.save_pretrained(target)
    write_metrics(target, trainer, objective.batch_size, psnr=fidelity(), pictures=len(unseen))


def frozen_autoencoder(arguments: argparse.Namespace, device: torch.device) -> Any:
    """Loads the trained autoencoder from the cache, or else from the pipeline of `--init`."""
    from diffusers import AutoencoderTiny

    path = cache_directory() / "autoencoder"
    if not path.exists() and arguments.init:
        path = Path(arguments.init) / "vae"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: train the autoencoder first, or give --init.")
    model = AutoencoderTiny.from_pretrained(path, torch_dtype=torch.float32)
    model = model.to(device, memory_format=torch.channels_last)
    return model.eval().requires_grad_(False)


def latent_models(arguments: argparse.Namespace, tokenizer: Any) -> tuple[Any, Any, Any]:
    """Returns the UNet and text encoder, fresh or from `--init`, and (steps, seconds) behind them.

    Words may have moved in the vocabulary since the pipeline was published: their embeddings are
    found by the word itself.
    """
    if not arguments.init:
        return build_unet(), build_text_encoder(tokenizer), (0, 0.0)
    from diffusers import UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    source = Path(arguments.init)
    unet = UNet2DConditionModel.from_pretrained(source / "unet", torch_dtype=torch.float32)
    old = CLIPTextModel.from_pretrained(source / "text_encoder", dtype=torch.float32)
    old_words = AutoTokenizer.from_pretrained(source / "tokenizer").get_vocab()
    encoder = build_text_encoder(tokenizer)
    weights, table = old.state_dict(), encoder.get_input_embeddings().weight
    fresh = table.detach().clone()
    for word, number in tokenizer.get_vocab().items():
        if word in old_words:
            fresh[number] = old.get_input_embeddings().weight[old_words[word]].detach()
    name = next(key for key in weights if key.endswith("token_embedding.weight"))
    encoder.load_state_dict(weights | {name: fresh})
    metrics = json.loads((source.parent / "metrics.json").read_text())["unet"]
    return unet, encoder, (metrics["steps"], metrics["seconds"])


@dataclass(frozen=True)
class Bench:
    """What training on latents needs, whatever is trained.

    Attributes:
        source: What views are drawn from.
        encoder: Autoencoder, tokenizer and atlas.
        pool: Training views by step.
        signal: α_t² of every time step, on the training device.
        fixed: Views that are never trained on, for figures.
        autocast: The dtype of matrix products.
    """

    source: Catalogue
    encoder: Encoder
    pool: LatentPool
    signal: Tensor
    fixed: Pool
    autocast: torch.dtype | None


def open_bench(arguments: argparse.Namespace) -> Bench:
    """Reads the atlas, freezes the autoencoder and sets up pools of latents."""
    device = start_processes()
    folder = cache_directory()
    atlas = load_atlas(folder / "atlas.npz")
    source = catalogue(atlas.codes, atlas.styles)
    cells = cells_tensor(atlas, range(len(atlas.codes)), device)
    encoder = Encoder(frozen_autoencoder(arguments, device), build_tokenizer(), cells)
    rank = dist.get_rank() if dist.is_initialized() else 0
    shares = Shares(favourite=arguments.favourites)
    maker = PoolMaker(encoder, source, folder, POOL_VIEWS, arguments.seed, shares, rank)
    return Bench(
        source,
        encoder,
        LatentPool(maker, encoder.tokens([""]).long()),
        build_scheduler().alphas_cumprod.to(device),
        maker.make(256, step_generator(3, 0), Shares()),
        fast_precision(device),
    )


def train_unet(arguments: argparse.Namespace) -> None:
    """Trains the denoiser and its text encoder on the frozen autoencoder's latents."""
    bench, folder = open_bench(arguments), cache_directory()
    encoder, device = bench.encoder, bench.signal.device
    torch.manual_seed(arguments.seed)
    unet, text_encoder, done = latent_models(arguments, encoder.tokenizer)
    if device.type == "cpu":
        plain_attention(unet)
    objective = LatentObjective(
        unet.to(device),
        text_encoder.to(device),
        bench.pool,
        bench.signal,
        bench.autocast,
        arguments.batch,
    )
    fixed = bench.fixed.latents, bench.fixed.tokens
    prompts = encoder.tokens(PREVIEW_PROMPTS).long()

    def preview(step: int) -> None:
        print(f"step {step}: validation loss {validation_loss(objective, *fixed):.4f}", flush=True)
        made = encoder.decode(sample(objective, prompts, 3.0, 20, seed=0))
        save_grid(made, 16, folder / "previews" / f"unet-{step:06d}.png")

    schedule = Schedule(arguments.steps, arguments.tail, rate=arguments.rate, seed=arguments.seed)
    run = Run("unet", objective, schedule, folder, preview, arguments.preview, done)
    trainer = run_training(run)
    if trainer.rank:
        return
    target = folder / (arguments.export or "unet")
    unet.save_pretrained(target / "unet")
    text_encoder.save_pretrained(target / "text_encoder")
    write_metrics(
        target,
        trainer,
        arguments.batch,
        favourites=arguments.favourites,
        validation_loss=validation_loss(objective, *fixed),
    )


def train_classifier(arguments: argparse.Namespace) -> None:
    """Trains the noise-aware classifier of concepts on the same latents."""
    bench, folder = open_bench(arguments), cache_directory()
    torch.manual_seed(arguments.seed)
    model = LatentClassifier(len(bench.source.concepts)).to(bench.signal.device)
    objective = ClassifierObjective(
        model, bench.pool, bench.signal, bench.autocast, arguments.batch
    )

    def figures() -> dict[str, float]:
        latents, labels = bench.fixed.latents, bench.fixed.labels
        return {
            f"accuracy_at_{time}": accuracy(model, latents, labels, bench.signal, time)
            for time in (0, 250, 500, 750)
        }

    def preview(step: int) -> None:
        print(f"step {step}: {figures()}", flush=True)

    schedule = Schedule(arguments.steps, arguments.tail, rate=arguments.rate, seed=arguments.seed)
    run = Run("classifier", objective, schedule, folder, preview, arguments.preview)
    trainer = run_training(run)
    if trainer.rank == 0:
        target = folder / (arguments.export or "classifier")
        save_classifier(model, target)
        write_metrics(target, trainer, arguments.batch, **figures())


def parse() -> argparse.Namespace:
    """Reads the command line."""
    summary = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=summary)
    parser.add_argument("model", choices=["autoencoder", "unet", "classifier"])
    parser.add_argument("--steps", type=int, default=ENDLESS, help="stop at this step")
    parser.add_argument("--tail", type=int, default=0, help="steps that bring the rate to zero")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="learning rate of the plateau")
    parser.add_argument("--batch", type=int, default=64, help="latents a step (not autoencoder)")
    parser.add_argument(
        "--favourites", type=float, default=0.0, help="extra share of the most wanted concepts"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", help="folder of a published pipeline to start from")
    parser.add_argument("--export", help="name of the exported weights' folder in the cache")
    parser.add_argument("--preview", type=float, default=600.0, help="seconds between previews")
    return parser.parse_args()


def main() -> None:
    """Trains what the command line names."""
    arguments = parse()
    commands = {
        "autoencoder": train_autoencoder,
        "unet": train_unet,
        "classifier": train_classifier,
    }
    commands[arguments.model](arguments)


if __name__ == "__main__":
    main()
