"""Laws of training on micro models, and of the published pipeline directory."""

import argparse
import hashlib
import json
import os
import signal
from pathlib import Path

import pytest
import torch

from core.diffusion.autoencoder import (
    AutoencoderObjective,
    edges,
    moment_penalty,
    psnr,
    random_pictures,
)
from core.diffusion.classifier import (
    ClassifierObjective,
    LatentClassifier,
    accuracy,
    load_classifier,
    save_classifier,
)
from core.diffusion.concepts import CONCEPTS
from core.diffusion.latent import (
    LatentObjective,
    add_noise,
    build_scheduler,
    build_text_encoder,
    build_unet,
    draw_times,
    plain_attention,
    sample,
    validation_loss,
)
from core.diffusion.pool import LatentPool, Pool
from core.diffusion.publish import LIMIT, WEIGHTS, checksums, readme, save_pipeline
from core.diffusion.runs import ENDLESS, Progress, Run, run_training
from core.diffusion.tokenizer import UNKNOWN_ID, build_tokenizer, unknown_words
from core.diffusion.train import latent_models
from core.diffusion.training import (
    Objective,
    Record,
    Schedule,
    Trainer,
    fast_precision,
    learning_rate,
    load_state,
    save_state,
    step_generator,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def micro_autoencoder():
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(0, 1, 1),
        num_decoder_blocks=(1, 1, 1),
        scaling_factor=1.25,
    )


def micro_unet(width):
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=4,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 16),
        layers_per_block=1,
        cross_attention_dim=width,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def micro_cells():
    cells = torch.zeros(4, 4, 16, 16, dtype=torch.uint8)
    for index, colour in enumerate([(255, 0, 0), (0, 200, 0), (0, 0, 255), (90, 90, 90)]):
        cells[index, :, 3:13, 3:13] = torch.tensor([*colour, 255]).view(4, 1, 1)
    return cells


def micro_latents(tokenizer, seed=0):
    """An objective whose latents are one constant per word: easily learnt."""
    words = tokenizer(["apple", "panda"], padding="max_length")["input_ids"]
    latents = torch.tensor([1.5, -1.5]).view(2, 1, 1, 1).expand(2, 4, 4, 4).contiguous()
    empty = torch.tensor(tokenizer([""], padding="max_length")["input_ids"])
    pool = LatentPool(lambda index: Pool(latents, torch.tensor(words), torch.arange(2)), empty)
    torch.manual_seed(seed)
    encoder = build_text_encoder(tokenizer)
    unet = micro_unet(encoder.config.hidden_size)
    return LatentObjective(unet, encoder, pool, build_scheduler().alphas_cumprod, batch_size=16)


class Line(Objective):
    """Fits y = 3 x with one number: small enough to follow by hand."""

    def __init__(self):
        super().__init__(CPU, None)
        self.slope = torch.nn.Parameter(torch.zeros(()))

    def batch(self, step, generator):
        return (torch.randn(8, generator=generator),)

    def forward(self, x):
        return (self.slope * x - 3 * x).square().mean()


# The schedule of the learning rate


def test_rate_warms_up_stays_and_falls_to_zero():
    schedule = Schedule(steps=100, tail=20, warmup=10, rate=1.0)
    rates = [learning_rate(step, schedule) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:81] == [1.0] * 72
    assert rates[80:] == sorted(rates[80:], reverse=True)
    assert learning_rate(90, schedule) == pytest.approx(0.5)
    assert learning_rate(100, schedule) == 0


def test_rate_without_a_tail_stays():
    assert learning_rate(99, Schedule(steps=100, rate=1.0)) == 1.0


def test_rate_warms_up_again_after_a_new_optimiser():
    schedule = Schedule(steps=1000, warmup=10, rate=1.0)
    assert learning_rate(500, schedule, begun=500) == pytest.approx(0.1)
    assert learning_rate(509, schedule, begun=500) == 1.0


def test_randomness_differs_by_seed_step_and_rank_only():
    draw = {key: torch.rand(2, generator=step_generator(*key)) for key in
            [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)]}  # fmt: skip
    assert len({tuple(value.tolist()) for value in draw.values()}) == 4
    assert torch.equal(draw[0, 1, 0], torch.rand(2, generator=step_generator(0, 1)))


# The loop


def test_average_follows_its_formula():
    trainer = Trainer(Line(), Schedule(steps=30, decay=0.9, rate=0.1, warmup=1))
    expected = torch.zeros(())
    for record in trainer.run():
        decay = min(0.9, (1 + record.step) / (10 + record.step))
        expected = decay * expected + (1 - decay) * trainer.objective.slope.detach()
        torch.testing.assert_close(trainer.average[0], expected)


def test_swapping_twice_changes_nothing():
    trainer = Trainer(Line(), Schedule(steps=5))
    list(trainer.run())
    weights, average = trainer.objective.slope.item(), trainer.average[0].item()
    trainer.swap_average()
    assert (trainer.objective.slope.item(), trainer.average[0].item()) == (average, weights)
    trainer.swap_average()
    assert (trainer.objective.slope.item(), trainer.average[0].item()) == (weights, average)


def resume_pair(make, tmp_path, steps):
    """States after `steps` uninterrupted, and after a stop in the middle and a new process."""
    schedule = Schedule(steps=steps, tail=steps // 3, warmup=2)
    whole = Trainer(make(), schedule)
    list(whole.run())
    first = Trainer(make(), schedule)
    for record in first.run():
        if record.step == steps // 2:
            break
    save_state(first, tmp_path / "state.pt")
    second = Trainer(make(), schedule)
    load_state(second, tmp_path / "state.pt")
    list(second.run())
    return whole, second


def assert_equal_trainers(one, other):
    assert one.step == other.step
    for mine, theirs in zip(one.parameters, other.parameters, strict=True):
        assert torch.equal(mine, theirs)
    for mine, theirs in zip(one.average, other.average, strict=True):
        assert torch.equal(mine, theirs)


def test_resumed_autoencoder_equals_uninterrupted_bit_for_bit(tmp_path):
    def make():
        return AutoencoderObjective(micro_autoencoder(), micro_cells(), batch_size=4)

    assert_equal_trainers(*resume_pair(make, tmp_path, 6))


def test_resumed_unet_equals_uninterrupted_bit_for_bit(tmp_path, tokenizer):
    assert_equal_trainers(*resume_pair(lambda: micro_latents(tokenizer), tmp_path, 6))


def test_training_reduces_the_autoencoders_loss():
    objective = AutoencoderObjective(micro_autoencoder(), micro_cells(), batch_size=8)
    losses = [r.loss for r in Trainer(objective, Schedule(60, warmup=5, rate=3e-3)).run()]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_training_reduces_the_unets_loss_and_teaches_words(tokenizer):
    objective = micro_latents(tokenizer)
    latents, words, _ = objective.pool.at(0)
    before = validation_loss(objective, latents.repeat(8, 1, 1, 1), words.repeat(8, 1))
    list(Trainer(objective, Schedule(80, warmup=5, rate=5e-3)).run())
    after = validation_loss(objective, latents.repeat(8, 1, 1, 1), words.repeat(8, 1))
    assert after < 0.4 * before
    made = sample(objective, words, guidance=2.0, steps=8, seed=0)
    assert made[0].mean() > 0.8
    assert made[1].mean() < -0.8


def test_classifier_learns_through_noise_and_survives_the_disk(tmp_path, tokenizer):
    pool, signal = micro_latents(tokenizer).pool, build_scheduler().alphas_cumprod
    torch.manual_seed(0)
    model = LatentClassifier(classes=2, widths=(8, 16))
    objective = ClassifierObjective(model, pool, signal, batch_size=16)
    list(Trainer(objective, Schedule(40, warmup=5, rate=5e-3)).run())
    latents, labels = pool.at(0).latents.repeat(32, 1, 1, 1), pool.at(0).labels.repeat(32)
    assert accuracy(model, latents, labels, signal, 0) == 1
    assert accuracy(model, latents, labels, signal, 400) > 0.9
    assert 0.3 < accuracy(model, latents, labels, signal, 999) < 0.7
    save_classifier(model, tmp_path)
    torch.testing.assert_close(
        load_classifier(tmp_path)(latents, labels), model(latents, labels), atol=0.02, rtol=0.02
    )


def run_of(tmp_path, schedule, shown=None):
    return Run("line", Line(), schedule, tmp_path, (shown if shown is not None else []).append)


def test_tail_branches_off_and_leaves_the_plateau(tmp_path):
    plateau = run_training(run_of(tmp_path, Schedule(20, rate=0.1, warmup=1)))
    before = (tmp_path / "line.pt").read_bytes()
    shown = []
    tail = run_training(run_of(tmp_path, Schedule(10**6, tail=10, rate=0.1), shown))
    assert (plateau.step, tail.step, shown) == (20, 30, [30])
    assert (tmp_path / "line.pt").read_bytes() == before
    again = run_training(run_of(tmp_path, Schedule(10**6, tail=10, rate=0.1)))
    assert again.objective.slope.item() == tail.objective.slope.item()


def test_progress_tells_the_time_left():
    progress = Progress(goal=130)
    progress.printed -= 60
    assert progress.line(Record(10, 0.25, 1e-3, 30.0)).endswith("1 h 00 min left")
    assert progress.line(Record(11, 0.25, 1e-3, 30.0)) is None
    endless = Progress(goal=ENDLESS)
    endless.printed -= 60
    assert "step 10 loss 0.2500" in (line := endless.line(Record(10, 0.25, 1e-3, 30.0)))
    assert line.endswith("until stopped")


def test_a_signal_stops_the_run_with_its_state_saved(tmp_path):
    class Stops(Line):
        def batch(self, step, generator):
            if step == 7:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().batch(step, generator)

    handler = signal.getsignal(signal.SIGTERM)
    run = Run("line", Stops(), Schedule(10**6), tmp_path, lambda step: None)
    assert run_training(run).step == 8
    assert torch.load(tmp_path / "line.pt", weights_only=True)["step"] == 8
    assert signal.getsignal(signal.SIGTERM) is handler


def test_published_weights_count_on_with_a_new_warmup(tmp_path):
    run = Run("line", Line(), Schedule(503), tmp_path, lambda step: None, done=(500, 60.0))
    with torch.no_grad():
        run.objective.slope.fill_(2.0)
    trainer = run_training(run)
    assert (trainer.step, trainer.begun) == (503, 500)
    assert trainer.seconds > 60
    assert trainer.objective.slope.item() == pytest.approx(2.0, abs=0.1)


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_a_group_of_one_trains_as_one_process(tmp_path, process_group):
    schedule = Schedule(10, rate=0.1, warmup=1)
    together = run_training(run_of(tmp_path, schedule))
    assert isinstance(together.loss, torch.nn.parallel.DistributedDataParallel)
    alone = Trainer(Line(), schedule)
    alone.loss = alone.objective
    list(alone.run())
    alone.swap_average()
    assert_equal_trainers(together, alone)


# The losses' parts


def test_moment_penalty_is_zero_at_its_goal():
    latent = torch.randn(4, 4, 8, 8, dtype=torch.float64)
    latent = latent - latent.mean((0, 2, 3), keepdim=True)
    latent = 0.8 * latent / latent.std((0, 2, 3), keepdim=True)
    assert moment_penalty(latent, 0.8).item() == pytest.approx(0, abs=1e-12)
    assert moment_penalty(latent + 0.5, 0.8).item() == pytest.approx(4 * 0.25)


def test_edges_are_differences_of_neighbours():
    across, down = edges(torch.arange(6.0).view(1, 1, 2, 3))
    assert across.flatten().tolist() == [1, 1, 1, 1]
    assert down.flatten().tolist() == [3, 3, 3]


def test_psnr_of_a_known_error():
    assert psnr(torch.full((1, 3, 4, 4), 0.2), torch.zeros(1, 3, 4, 4)) == pytest.approx(20)


def test_random_pictures_stay_in_range():
    cells = micro_cells().float() / 255
    pictures = random_pictures(cells, step_generator(0, 0))
    assert pictures.shape == (4, 3, 16, 16)
    assert pictures.min() >= -1
    assert pictures.max() <= 1
    assert torch.equal(pictures, random_pictures(cells, step_generator(0, 0)))


def test_velocity_and_noised_latent_give_back_both():
    latent, noise = torch.randn(2, 3, 4, 4, 4, dtype=torch.float64)
    signal = torch.tensor([0.9, 0.3, 0.0], dtype=torch.float64)
    noised, velocity = add_noise(latent, noise, signal)
    alpha, sigma = (x.sqrt().view(3, 1, 1, 1) for x in (signal, 1 - signal))
    torch.testing.assert_close(alpha * noised - sigma * velocity, latent)
    torch.testing.assert_close(sigma * noised + alpha * velocity, noise)


def test_noise_schedule_ends_in_pure_noise_and_agrees_with_diffusers():
    scheduler = build_scheduler()
    assert scheduler.alphas_cumprod[-1] == 0
    latent, noise = torch.randn(2, 2, 4, 4, 4)
    times = torch.tensor([250, 999])
    noised, velocity = add_noise(latent, noise, scheduler.alphas_cumprod[times])
    torch.testing.assert_close(noised, scheduler.add_noise(latent, noise, times))
    torch.testing.assert_close(velocity, scheduler.get_velocity(latent, noise, times))


def test_batches_drop_captions_and_forget_words(tokenizer):
    objective = micro_latents(tokenizer)
    objective.batch_size = 4000
    latents, words, _, _ = objective.batch(0, step_generator(0, 0))
    empty = (words == objective.pool.empty).all(1)
    assert empty.float().mean() == pytest.approx(0.12, abs=0.02)
    named = words[~empty][:, 1]
    assert (named == UNKNOWN_ID).float().mean() == pytest.approx(0.02, abs=0.01)
    assert latents.shape == (4000, 4, 4, 4)


def test_times_reach_both_ends_and_dwell_in_the_middle():
    times = draw_times(40_000, 1000, step_generator(0, 0))
    shares = torch.histc(times.float(), 10, 0, 1000) / len(times)
    logits = torch.logit(torch.linspace(0, 1, 11, dtype=torch.float64))
    expected = 0.75 * torch.special.ndtr(logits).diff() + 0.25 / 10
    torch.testing.assert_close(shares.double(), expected, atol=2e-3, rtol=0)
    assert (times.min(), times.max()) == (0, 999)


def test_precision_follows_the_processor():
    assert fast_precision(CPU) in (None, torch.bfloat16)


def test_model_sizes(tokenizer):
    parameters = sum(p.numel() for p in build_unet().parameters())
    assert 2 * parameters < LIMIT - 100_000


# The published directory


def load_pipeline(folder):
    """Loads without a word about accelerate, which is not needed, or the tiny autoencoder."""
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(pipeline, prompt, size):
    generator = torch.Generator().manual_seed(0)
    return pipeline(
        prompt, num_inference_steps=2, guidance_scale=3.0, generator=generator,
        height=size, width=size, output_type="np",
    ).images[0]  # fmt: skip


def test_saved_directory_is_a_stable_diffusion_pipeline(tmp_path, tokenizer):
    objective = micro_latents(tokenizer)
    plain_attention(objective.unet)
    save_pipeline(micro_autoencoder(), objective.text_encoder, objective.unet, tokenizer, tmp_path)
    pipeline = load_pipeline(tmp_path)
    assert {pipeline.unet.dtype, pipeline.vae.dtype, pipeline.text_encoder.dtype} == {torch.float32}
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert pipeline.vae.config.scaling_factor == 1.25
    picture = draw(pipeline, "一只熊猫", 16)
    assert picture.shape == (16, 16, 3)
    assert (picture == draw(pipeline, "a panda", 16)).all()
    assert unknown_words(pipeline.tokenizer, "黄色的 zeppelin") == ["zeppelin"]
    assert str(tmp_path) not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


def test_training_goes_on_from_a_published_pipeline_and_a_new_word_list(tmp_path, tokenizer):
    objective = micro_latents(tokenizer)
    folder = tmp_path / "vitrine"
    save_pipeline(micro_autoencoder(), objective.text_encoder, objective.unet, tokenizer, folder)
    (tmp_path / "metrics.json").write_text(json.dumps({"unet": {"steps": 70, "seconds": 9}}))
    moved = build_tokenizer(CONCEPTS[::-1])
    assert moved.get_vocab() != tokenizer.get_vocab()
    arguments = argparse.Namespace(init=str(folder))
    unet, encoder, done = latent_models(arguments, moved)
    assert done == (70, 9)
    before, after = (
        model(input_ids=torch.tensor([words("a blue panda")["input_ids"]])).last_hidden_state
        for model, words in ((objective.text_encoder, tokenizer), (encoder, moved))
    )
    torch.testing.assert_close(after, before, atol=5e-3, rtol=5e-3)
    weight = objective.unet.conv_in.weight
    torch.testing.assert_close(unet.conv_in.weight, weight, atol=1e-3, rtol=1e-3)


def test_card_quotes_figures_and_checksums():
    common = {"seed": 0, "steps": 10, "batch": 4, "seconds": 60}
    metrics = {
        "autoencoder": {**common, "psnr": 28.857, "pictures": 103},
        "unet": {**common, "validation_loss": 0.12345, "favourites": 0.7},
    }
    text = readme("the data", metrics, {"unet/w.safetensors": "abc"})
    for part in ("the data", "28.86 dB", "0.1235", "| `unet/w.safetensors` | `abc` |", "--init"):
        assert part in text


BUNDLED = pytest.mark.skipif(
    not (WEIGHTS / "README.md").exists(), reason="no weights are bundled yet"
)


@BUNDLED
def test_bundled_card_has_every_files_checksum():
    sums = checksums(WEIGHTS)
    text = (WEIGHTS / "README.md").read_text()
    assert len(sums) >= 3
    for name, value in sums.items():
        assert f"| `{name}` | `{value}` |" in text


@BUNDLED
def test_bundled_files_are_small():
    sizes = {path.name: path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()}
    assert max(sizes.values()) < LIMIT


@BUNDLED
def test_bundled_weights_draw():
    pipeline = load_pipeline(WEIGHTS / "vitrine")
    picture = draw(pipeline, "a red apple on a white background", 64)
    assert picture.shape == (64, 64, 3)
    assert picture.std() > 0.05
    metrics = json.loads((WEIGHTS / "metrics.json").read_text())
    assert metrics["autoencoder"]["psnr"] > 24
    assert 0 < metrics["unet"]["validation_loss"] < 0.5


@pytest.mark.skipif(not (WEIGHTS / "classifier").exists(), reason="no classifier is bundled yet")
def test_bundled_classifier_knows_every_concept():
    model = load_classifier(WEIGHTS / "classifier")
    logits = model(torch.randn(2, 4, 16, 16), torch.tensor([0, 999]))
    assert logits.shape == (2, len(CONCEPTS))
    assert logits.isfinite().all()


def test_checksums_are_of_weights_by_relative_path(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "w.safetensors").write_bytes(b"weights")
    Path(tmp_path / "note.txt").write_text("not weights")
    assert checksums(tmp_path) == {"unet/w.safetensors": hashlib.sha256(b"weights").hexdigest()}
