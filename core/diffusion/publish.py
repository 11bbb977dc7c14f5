"""Command line: `python -m core.diffusion.publish` turns cached weights into what the app loads.

Writes a `StableDiffusionPipeline` directory in half precision, every file under 10 MB, with a sheet
of samples and a card (README.md) that holds data, licences, command, figures and checksums.
"""

import argparse
import copy
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from core.diffusion.cache import cache_directory
from core.diffusion.classifier import load_classifier, save_classifier
from core.diffusion.data import card
from core.diffusion.latent import build_scheduler
from core.diffusion.preview import PREVIEW_PROMPTS, save_grid
from core.diffusion.sources import load_atlas
from core.diffusion.tokenizer import build_tokenizer

WEIGHTS = Path(__file__).resolve().parents[2] / "static" / "weights" / "diffusion"
LIMIT = 10_000_000


def save_pipeline(
    autoencoder: Any, text_encoder: Any, unet: Any, tokenizer: Any, folder: Path
) -> None:
    """Writes models as a pipeline directory that `StableDiffusionPipeline.from_pretrained` loads.

    The files hold half precision; loaded without a dtype, all parts are float32.
    """
    from diffusers import StableDiffusionPipeline

    halves = [copy.deepcopy(model).half() for model in (autoencoder, text_encoder, unet)]
    pipeline = StableDiffusionPipeline(
        vae=halves[0],
        text_encoder=halves[1],
        unet=halves[2],
        tokenizer=tokenizer,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    # transformers would load its part in the dtype noted here, diffusers loads the rest in float32.
    _edit(folder / "text_encoder" / "config.json", dtype="float32")
    # The name under which every version of transformers since 4 knows this class.
    _edit(folder / "tokenizer" / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    _edit(folder / "model_index.json", tokenizer=["transformers", "PreTrainedTokenizerFast"])
    for part in ("unet", "vae"):
        _edit(folder / part / "config.json", _name_or_path=None)


def _edit(path: Path, **values: Any) -> None:
    settings = json.loads(path.read_text()) | values
    kept = {name: value for name, value in settings.items() if value is not None}
    path.write_text(json.dumps(kept, indent=2) + "\n")


def checksums(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every weights file under a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }


def draw_samples(pipeline: Any, path: Path) -> None:
    """Draws the preview prompts at guidance 3 in 20 steps, one seed, as a sheet of 16 columns."""
    generator = torch.Generator().manual_seed(0)
    pipeline.set_progress_bar_config(disable=True)
    pictures = pipeline(
        list(PREVIEW_PROMPTS),
        num_inference_steps=20,
        guidance_scale=3.0,
        generator=generator,
        output_type="pt",
    ).images
    save_grid(pictures * 2 - 1, 16, path)


def training_rows(metrics: dict[str, dict[str, float]]) -> list[str]:
    """Returns one table row a part: how it was trained and what was measured."""
    measured = {
        "autoencoder": "{psnr:.2f} dB PSNR on {pictures:.0f} held-out pictures",
        "unet": "{validation_loss:.4f} mean squared error of the velocity on 256 new views "
        "of the training pictures",
        "weak": "{validation_loss:.4f} on the same: an early copy of the UNet, for autoguidance",
        "classifier": "accuracy {accuracy_at_0:.2f}, {accuracy_at_250:.2f}, {accuracy_at_500:.2f}, "
        "{accuracy_at_750:.2f} at time steps 0, 250, 500, 750",
    }
    row = "| {part} | {seed} | {steps} | {batch} | {seconds} | {measured} |"
    return [
        row.format(part=part, measured=measured[part].format(**figures), **figures)
        for part, figures in metrics.items()
    ]


def readme(
    data_card: str, metrics: dict[str, dict[str, float]], sums: dict[str, str], note: str = ""
) -> str:
    """Returns the model card in Markdown.

    Args:
        data_card: From `card`.
        metrics: What was measured, by part.
        sums: Checksums by file.
        note: What a person has to say about this run and its samples.
    """
    prompts = "; ".join(PREVIEW_PROMPTS)
    rows = "\n".join(training_rows(metrics))
    table = "\n".join(f"| `{name}` | `{value}` |" for name, value in sums.items())
    return f"""# Vitrine's own text-to-image model

A latent diffusion model of 64 × 64 pictures, trained from scratch on emoji, small enough for a CPU.
`vitrine/` loads with `StableDiffusionPipeline.from_pretrained`: an `AutoencoderTiny` (factor 4,
four channels), a `UNet2DConditionModel` of 4.8 M parameters predicting velocity under a schedule
with zero terminal SNR, a two-layer `CLIPTextModel` trained with it, and a tokenizer of whole words
that reads English and Chinese.

It mostly *remembers* the concepts in its list; what it composes are colours, styles, sizes, places
and backgrounds. The held-out pairs below tell one from the other.

## Data

{data_card}

## Training

| part | seed | steps | batch | CPU-seconds | measured |
| --- | --- | --- | --- | --- | --- |
{rows}

In the UNet's last run a share of {metrics["unet"]["favourites"]:.1f} of the views went to the 80
concepts that people ask for first (`--favourites`); the others are further behind.

```
python -m core.diffusion.data
python -m core.diffusion.train autoencoder --steps N      # the plateau: stop whenever
python -m core.diffusion.train autoencoder --tail 900     # rate to zero, weights to the cache
python -m core.diffusion.train unet --steps N
python -m core.diffusion.train unet --tail 1000
python -m core.diffusion.publish
```

To train on where no state file is left, start from these weights (the optimiser is new, the
autoencoder is taken from here and stays as it is):

```
python -m core.diffusion.data
python -m core.diffusion.train unet --init static/weights/diffusion/vitrine
python -m core.diffusion.train unet --init static/weights/diffusion/vitrine --tail 1000
python -m core.diffusion.publish --init static/weights/diffusion/vitrine
```

## Samples

`samples.jpg`: guidance 3, 20 DDIM steps, one seed, nothing chosen by hand; row by row: {prompts}.

{note}

## Checksums

| file | SHA-256 |
| --- | --- |
{table}
"""


def publish_weak(source: Path, target: Path) -> None:
    """Writes an early UNet with its text encoder in half precision, without the other parts."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel

    shutil.rmtree(target, ignore_errors=True)
    UNet2DConditionModel.from_pretrained(source / "unet").half().save_pretrained(target / "unet")
    encoder = CLIPTextModel.from_pretrained(source / "text_encoder").half()
    encoder.save_pretrained(target / "text_encoder")
    _edit(target / "text_encoder" / "config.json", dtype="float32")
    _edit(target / "unet" / "config.json", _name_or_path=None)


def read_metrics(parts: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Returns what training measured of each part.

    Args:
        parts: By part, the folder of its metrics, or an earlier card's metrics file of all parts.
    """
    metrics = {}
    for part, path in parts.items():
        if path.suffix == ".json":
            metrics[part] = json.loads(path.read_text())[part]
        else:
            metrics[part] = json.loads((path / "metrics.json").read_text())
    return metrics


def publish(arguments: argparse.Namespace) -> None:
    """Writes the pipeline and whatever else is cached, then samples and card."""
    from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    folder = cache_directory()
    sources = {"autoencoder": folder / "autoencoder", "unet": folder / arguments.unet}
    first = sources["autoencoder"]
    if arguments.init:
        first, sources["autoencoder"] = Path(arguments.init) / "vae", WEIGHTS / "metrics.json"
    save_pipeline(
        AutoencoderTiny.from_pretrained(first),
        CLIPTextModel.from_pretrained(sources["unet"] / "text_encoder"),
        UNet2DConditionModel.from_pretrained(sources["unet"] / "unet"),
        build_tokenizer(),
        WEIGHTS / "vitrine",
    )
    if arguments.weak:
        sources["weak"] = folder / arguments.weak
        publish_weak(sources["weak"], WEIGHTS / "weak")
    if (folder / "classifier").exists():
        sources["classifier"] = folder / "classifier"
        save_classifier(load_classifier(sources["classifier"]), WEIGHTS / "classifier")
    quoted = WEIGHTS / "metrics.json"
    # Parts that are not written anew keep what their card said.
    metrics = (json.loads(quoted.read_text()) if quoted.exists() else {}) | read_metrics(sources)
    quoted.write_text(json.dumps(metrics, indent=1) + "\n")
    pipeline = StableDiffusionPipeline.from_pretrained(WEIGHTS / "vitrine")
    draw_samples(pipeline, WEIGHTS / "samples.jpg")
    text = readme(
        card(load_atlas(folder / "atlas.npz")), metrics, checksums(WEIGHTS), arguments.note
    )
    (WEIGHTS / "README.md").write_text(text)


def main() -> None:
    """Publishes the cached weights and checks their sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unet", default="unet", help="the UNet's export folder in the cache")
    parser.add_argument("--weak", help="export folder of an early UNet, for autoguidance")
    parser.add_argument("--init", help="pipeline whose autoencoder was used, if not the cache's")
    parser.add_argument("--note", default="", help="a remark for the card, under the samples")
    publish(parser.parse_args())
    for path in WEIGHTS.rglob("*"):
        if path.is_file() and path.stat().st_size > LIMIT:
            size = path.stat().st_size
            raise ValueError(f"{path.name} must be at most {LIMIT} bytes, got {size}.")


if __name__ == "__main__":
    main()
