"""The snippet that reproduces the trace on the stage with `core.flash_attention`."""

from labs.flash_attention.settings import DTYPES, Settings


def snippet(settings: Settings) -> str:
    """Returns a runnable program that traces the first stage's pass."""
    dtype = str(DTYPES[settings.dtype])
    names = ["trace"]
    if settings.source == "sentence":
        names.append("tokens_attention")
        inputs = [
            f"head = tokens_attention({settings.sentence!r}, "
            f"head_dim={settings.head_dim}, seed={settings.seed})",
            "q, k, v = head.q, head.k, head.v",
        ]
    else:
        inputs = [
            f"generator = torch.Generator().manual_seed({settings.seed})",
            f"shape = (3, {settings.length}, {settings.head_dim})",
            "q, k, v = torch.randn(shape, generator=generator, dtype=torch.float64)",
        ]
    order = "fa1" if settings.show == "orders" else settings.order
    lines = [
        "import torch",
        "",
        f"from core.flash_attention import {', '.join(names)}",
        "",
        *inputs,
        f"root = {settings.magnitude!r} ** 0.5",
        f"q, k, v = (x.to({dtype}) for x in (q * root, k * root, v))",
        "steps = trace(",
        f"    q, k, v, block_q={settings.block_q}, block_k={settings.block_k}, "
        f"causal={settings.causal},",
        f'    order="{order}", backward={settings.stage == "backward"},',
        ")",
        "for step in steps:",
        "    print(step.index, step.phase, step.i, step.j, step.read + step.written)",
        "print(step.result.out)",
    ]
    return "\n".join(lines) + "\n"
