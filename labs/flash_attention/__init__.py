"""The FlashAttention lab: exact attention, tile by tile, without ever writing the N×N matrix."""

from core.flash_attention.passes import algorithm
from labs.flash_attention.compute import light, run
from labs.flash_attention.picture import scene
from labs.flash_attention.settings import Settings
from labs.lab import Lab, Paper
from labs.text import Text

LAB = Lab(
    slug="flash_attention",
    tab=Text("FlashAttention", "FlashAttention"),
    title=Text("Tile by tile", "逐块计算"),
    idea=Text(
        "Exact attention that never writes the N×N matrix: a running maximum, a running sum, "
        "a rescaling.",
        "从不写出 N×N 矩阵的精确注意力：一个流动的最大值、一个流动的和、一次重新缩放。",
    ),
    papers=(
        Paper(
            "Dao, Fu, Ermon, Rudra, Ré",
            2022,
            "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
            "https://arxiv.org/abs/2205.14135",
        ),
        Paper(
            "Dao",
            2023,
            "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
            "https://arxiv.org/abs/2307.08691",
        ),
        Paper(
            "Milakov, Gimelshein",
            2018,
            "Online normalizer calculation for softmax",
            "https://arxiv.org/abs/1805.02867",
        ),
        Paper(
            "Rabe, Staats",
            2021,
            "Self-attention Does Not Need O(n²) Memory",
            "https://arxiv.org/abs/2112.05682",
        ),
    ),
    settings=Settings,
    run=run,
    scene=scene,
    light=light,
    code=tuple(
        algorithm(order, stage)
        for order in ("fa2", "fa1", "naive")
        for stage in ("forward", "backward")
    ),
)
