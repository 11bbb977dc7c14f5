"""The settings of the FlashAttention lab, and the tensors that they name."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from core.flash_attention import GPUS, Tiles, count_steps, tokens_attention
from labs.controls import Choice, Integer, Number, Refusal, Toggle, Words, setting
from labs.text import Text

INPUT = {"sentence": Text("Sentence", "句子"), "random": Text("Random", "随机")}
SHOW = {
    "race": Text("Flash · naive", "Flash · 朴素"),
    "orders": Text("FA-1 · FA-2", "FA-1 · FA-2"),
    "row": Text("One row", "单行"),
    "rounding": Text("Rounding", "舍入"),
    "traffic": Text("Traffic · roofline", "流量 · 屋顶线"),
    "budget": Text("On-chip budget", "片上预算"),
    "time": Text("Time it here", "在此计时"),
}
STAGES = {"forward": Text("forward", "前向"), "backward": Text("backward", "反向")}
ORDERS = {"fa2": Text("FA-2", "FA-2"), "fa1": Text("FA-1", "FA-1")}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = {name: Text(name, name) for name in DTYPES}
HEADS = {str(n): Text(str(n), str(n)) for n in (8, 16, 32, 64, 128)}
CHIPS = {gpu.name.lower().replace(" ", "-"): Text(gpu.name, gpu.name) for gpu in GPUS}
SENTENCE = (
    "The glass case holds a small red apple and we look at it from every side of the room at once "
    "in one light"
)
MOST_STEPS = 8000


@dataclass(frozen=True)
class Settings:
    """Every setting of the lab: declared here, used for controls, URL, API and tests."""

    source: str = setting(
        "sentence",
        Choice(label=Text("Input", "输入"), key="input", place="rail", options=INPUT),
    )
    sentence: str = setting(
        SENTENCE,
        Words(
            label=Text("Sentence", "句子"),
            key="text",
            place="rail",
            longest=600,
            when=("source", ("sentence",)),
            help=Text(
                "Declared random projections, nothing learned. At most 128 tokens; then Enter.",
                "使用声明的随机投影，没有学习。最多 128 个词元；按回车。",
            ),
        ),
    )
    show: str = setting(
        "race", Choice(label=Text("Side by side", "并排"), key="show", place="rail", options=SHOW)
    )
    stage: str = setting(
        "forward", Choice(label=Text("Pass", "方向"), key="pass", place="rail", options=STAGES)
    )
    block_q: int = setting(
        8,
        Integer(
            label=Text("Block of queries", "查询块"), key="bq", place="rail", minimum=1, maximum=64
        ),
    )
    block_k: int = setting(
        4,
        Integer(label=Text("Block of keys", "键块"), key="bk", place="rail", minimum=1, maximum=64),
    )
    causal: bool = setting(
        True,
        Toggle(
            label=Text("Causal mask", "因果掩码"),
            key="causal",
            place="rail",
            help=Text(
                "A query sees the keys up to its own place.", "每个查询只看到自身位置及之前的键。"
            ),
        ),
    )
    order: str = setting(
        "fa2", Choice(label=Text("Loop order", "循环次序"), key="order", options=ORDERS)
    )
    length: int = setting(
        24,
        Integer(
            label=Text("Length", "长度"),
            key="length",
            minimum=8,
            maximum=128,
            when=("source", ("random",)),
        ),
    )
    head_dim: str = setting(
        "8", Choice(label=Text("Head dimension", "头维度"), key="d", options=HEADS)
    )
    dtype: str = setting(
        "bf16", Choice(label=Text("Precision", "精度"), key="dtype", options=PRECISIONS)
    )
    magnitude: float = setting(
        1.0,
        Number(
            label=Text("Scores times", "分数乘以"),
            key="times",
            minimum=0.1,
            maximum=20000.0,
            step=0.1,
            help=Text(
                "Large scores overflow fp16 in the naive softmax.",
                "分数很大时，朴素 softmax 会在 fp16 中溢出。",
            ),
        ),
    )
    gpu: str = setting("a100-sxm-80gb", Choice(label=Text("GPU", "GPU"), key="gpu", options=CHIPS))
    tokens: int = setting(
        4096,
        Integer(
            label=Text("N in the large picture", "大图中的 N"),
            key="n",
            minimum=256,
            maximum=131072,
            log=True,
            when=("show", ("traffic", "time")),
        ),
    )
    seed: int = setting(
        0, Integer(label=Text("Seed", "随机种子"), key="seed", minimum=0, maximum=9999)
    )
    row: int = setting(
        14, Integer(label=Text("Row", "行"), key="row", place="stage", minimum=0, maximum=127)
    )


@dataclass(frozen=True)
class Head:
    """One head's queries, keys and values of shape (N, D), and its tokens if there are any."""

    q: Tensor
    k: Tensor
    v: Tensor
    labels: tuple[str, ...] | None

    def to(self, dtype: torch.dtype) -> "Head":
        """Returns the same in `dtype`."""
        return Head(self.q.to(dtype), self.k.to(dtype), self.v.to(dtype), self.labels)


def head_of(settings: Settings) -> Head:
    """Returns the inputs in the chosen precision.

    Raises:
        Refusal: If the sentence has no token or too many, or if the trace would be too long.
    """
    dim = int(settings.head_dim)
    if settings.source == "sentence":
        try:
            found = tokens_attention(settings.sentence, head_dim=dim, seed=settings.seed)
        except ValueError as error:
            raise Refusal(Text(str(error), f"句子无法使用：{error}")) from error
        head = Head(found.q, found.k, found.v, found.tokens)
    else:
        generator = torch.Generator().manual_seed(settings.seed)
        shape = (3, settings.length, dim)
        q, k, v = torch.randn(shape, generator=generator, dtype=torch.float64)
        head = Head(q, k, v, None)
    _check_length(settings, len(head.q))
    root = math.sqrt(settings.magnitude)
    scaled = Head(head.q * root, head.k * root, head.v, head.labels)
    return scaled.to(DTYPES[settings.dtype])


def _check_length(settings: Settings, tokens: int) -> None:
    """Refuses a trace that would not travel."""
    tiles = Tiles(tokens, tokens, settings.block_q, settings.block_k, settings.causal, 1.0)
    backward = settings.stage == "backward"
    steps = count_steps(tiles, "fa1", backward=backward)
    if steps > MOST_STEPS:
        raise Refusal(
            Text(
                f"block_q and block_k must give at most {MOST_STEPS} steps, got {steps}: "
                "take larger blocks or fewer tokens.",
                f"block_q 与 block_k 最多产生 {MOST_STEPS} 步，收到 {steps} 步：请用更大的块。",
            )
        )
