"""The settings of the SDE lab, and the objects of `core.sde` that they name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from core.densities import PRESETS, GaussianMixture, from_ink, word
from core.sde import (
    DDIM,
    DDPM,
    RK45,
    SDE,
    VE,
    VP,
    Cosine,
    DPMSolverPP2M,
    Drawn,
    EulerMaruyama,
    Heun,
    Linear,
    PredictorCorrector,
    Sampler,
    SubVP,
)
from labs.controls import Choice, Code, Ink, Integer, Number, Refusal, Words, setting
from labs.ink import decode_ink
from labs.text import Text

T = TypeVar("T")

DATA = {
    "eight_gaussians": Text("8 Gaussians", "8 个高斯"),
    "two_moons": Text("Moons", "双月"),
    "spiral": Text("Spiral", "螺旋"),
    "checkerboard": Text("Checkerboard", "棋盘"),
    "word": Text("Word", "文字"),
    "paint": Text("Paint or picture", "绘画或图片"),
}
SHOW = {
    "both": Text("Forward · reverse", "前向 · 逆向"),
    "ode": Text("SDE · ODE", "SDE · ODE"),
    "samplers": Text("Two samplers", "两个采样器"),
    "score": Text("Exact · learned", "精确 · 学到"),
    "distance": Text("Steps · error", "步数 · 误差"),
    "discrete": Text("DDPM · SDE", "DDPM · SDE"),
}
PROCESSES = {"vp": Text("VP", "VP"), "ve": Text("VE", "VE"), "subvp": Text("sub-VP", "sub-VP")}
SAMPLERS = {
    "em": Text("Euler–Maruyama", "Euler–Maruyama"),
    "pc": Text("Predictor–corrector", "预测–校正"),
    "heun": Text("ODE, Heun", "ODE，Heun"),
    "rk45": Text("ODE, RK45", "ODE，RK45"),
    "ddim": Text("DDIM", "DDIM"),
    "dpm": Text("DPM-Solver++", "DPM-Solver++"),
    "ddpm": Text("DDPM", "DDPM"),
}
SCORES = {"exact": Text("exact", "精确"), "learned": Text("learned", "学到")}
SCHEDULES = {
    "linear": Text("linear", "线性"),
    "cosine": Text("cosine", "余弦"),
    "drawn": Text("drawn", "手绘"),
}
FIELDS = {
    "none": Text("none", "无"),
    "score": Text("score", "得分"),
    "velocity": Text("ODE velocity", "ODE 速度"),
}
LOOKS = {"contours": Text("contours", "等高线"), "heat": Text("heat", "热图")}

HEART = (
    "17VRBEoQwCOsP8v9f5gfsaq0tGHBPzuyMnJCEQFuhtdeeMNjXurt5VHAndI8K3gjDcwQ7oyfTJL6Ykl-NsXl"
    "MJOCHHGaiLzDYszAk7is6PN7n0_hdfyWOS4Hr_d7hjPJseQMQ719944d6_rzhwC4CU-cpcSwEqAExPz8m54t"
    "p-pIl048wx0_cMkIKr0NEuQLk6CkBJjukTnfzVVRgvaVYrrFKfRfgu-r_yj4"
)
EXTENT = 3.2
CURVE_POINTS = 16
CURVE_TOP = 20.0
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
DEFAULT_CURVE = "".join(_DIGITS[round(35 * i / (CURVE_POINTS - 1))] for i in range(CURVE_POINTS))


def _coordinate(key: str, label: Text) -> Number:
    """A coordinate on the stage, in stage units."""
    return Number(label=label, key=key, place="stage", minimum=-EXTENT, maximum=EXTENT, step=0.001)


@dataclass(frozen=True)
class Settings:
    """Every setting of the lab: declared here, used for controls, URL, API and tests."""

    data: str = setting(
        "spiral",
        Choice(label=Text("Data", "数据"), key="data", place="rail", options=DATA),
    )
    word: str = setting(
        "SDE",
        Words(
            label=Text("Word", "文字"),
            key="word",
            place="rail",
            longest=12,
            when=("data", ("word",)),
            help=Text("At most 12 characters, then Enter.", "最多 12 个字符，按回车。"),
        ),
    )
    show: str = setting(
        "both", Choice(label=Text("Side by side", "并排"), key="show", place="rail", options=SHOW)
    )
    process: str = setting(
        "vp",
        Choice(label=Text("Process", "过程"), key="process", place="rail", options=PROCESSES),
    )
    sampler: str = setting(
        "em",
        Choice(label=Text("Sampler", "采样器"), key="sampler", place="rail", options=SAMPLERS),
    )
    steps: int = setting(
        100,
        Integer(
            label=Text("Steps", "步数"),
            key="steps",
            place="rail",
            minimum=5,
            maximum=1000,
            log=True,
        ),
    )
    score: str = setting(
        "exact", Choice(label=Text("Score", "得分"), key="score", place="rail", options=SCORES)
    )
    other: str = setting(
        "dpm",
        Choice(
            label=Text("Second sampler", "第二个采样器"),
            key="other",
            place="rail",
            options=SAMPLERS,
            when=("show", ("samplers",)),
            help=Text("On the right, with the same noise.", "位于右侧，使用相同的噪声。"),
        ),
    )
    particles: int = setting(
        2000,
        Integer(label=Text("Particles", "粒子数"), key="n", minimum=100, maximum=10000, step=100),
    )
    schedule: str = setting(
        "linear",
        Choice(
            label=Text("Schedule β(t)", "时间表 β(t)"),
            key="schedule",
            options=SCHEDULES,
            when=("process", ("vp", "subvp")),
        ),
    )
    eta: float = setting(
        0.0,
        Number(
            label=Text("DDIM η", "DDIM η"),
            key="eta",
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            when=("sampler", ("ddim",)),
            help=Text("0 is the ODE, 1 is as noisy as DDPM.", "0 为 ODE，1 与 DDPM 同样有噪声。"),
        ),
    )
    corrections: int = setting(
        1,
        Integer(
            label=Text("Langevin steps", "Langevin 步数"),
            key="langevin",
            minimum=1,
            maximum=5,
            when=("sampler", ("pc",)),
        ),
    )
    snr: float = setting(
        0.16,
        Number(
            label=Text("Langevin signal-to-noise", "Langevin 信噪比"),
            key="snr",
            minimum=0.01,
            maximum=0.5,
            step=0.01,
            when=("sampler", ("pc",)),
        ),
    )
    training: int = setting(
        500,
        Integer(
            label=Text("Training steps", "训练步数"),
            key="training",
            minimum=20,
            maximum=3000,
            step=20,
            help=Text(
                "For the learned score: denoising score matching, batch 512.",
                "用于学到的得分：去噪得分匹配，批量 512。",
            ),
        ),
    )
    field: str = setting("none", Choice(label=Text("Arrows", "箭头"), key="arrows", options=FIELDS))
    look: str = setting(
        "contours", Choice(label=Text("Density", "密度"), key="density", options=LOOKS)
    )
    seed: int = setting(
        0, Integer(label=Text("Seed", "随机种子"), key="seed", minimum=0, maximum=9999)
    )
    ink: str = setting(HEART, Ink(label=Text("Painting", "绘画"), key="ink", place="stage"))
    curve: str = setting(
        DEFAULT_CURVE,
        Code(
            label=Text("Drawn schedule", "手绘时间表"),
            key="curve",
            place="stage",
            longest=CURVE_POINTS,
            alphabet="0-9a-z",
        ),
    )
    start_x: float = setting(1.0, _coordinate("px", Text("Particle x", "粒子 x")))
    start_y: float = setting(1.3, _coordinate("py", Text("Particle y", "粒子 y")))
    point_x: float = setting(0.4, _coordinate("qx", Text("Point x", "点 x")))
    point_y: float = setting(0.6, _coordinate("qy", Text("Point y", "点 y")))


def density_of(settings: Settings) -> GaussianMixture:
    """Returns the data as a mixture.

    Raises:
        Refusal: If the painting is empty or the word cannot be drawn.
    """
    if settings.data == "paint":
        return _told(lambda: from_ink(decode_ink(settings.ink)), Text("", ""))
    if settings.data == "word":
        return _told(
            lambda: word(settings.word),
            Text("", "文字中有字体无法绘制的字符。"),
        )
    return PRESETS[settings.data]()


def _told(make: Callable[[], T], chinese: Text) -> T:
    """Calls `make`, turning core's sentence into a refusal in both languages."""
    try:
        return make()
    except ValueError as error:
        if isinstance(error, Refusal):
            raise
        raise Refusal(Text(str(error), chinese.zh or "绘画是空的或无法读取。")) from error


def process_of(settings: Settings) -> SDE:
    """Returns the forward process."""
    if settings.process == "ve":
        return VE()
    schedule = {"linear": Linear, "cosine": Cosine}.get(settings.schedule)
    if schedule:
        beta = schedule()
    else:
        values = curve_values(settings.curve)
        flat = Text("", "手绘时间表不能处处为零。")
        beta = _told(lambda: Drawn(values), flat)
    return VP(beta) if settings.process == "vp" else SubVP(beta)


def curve_values(curve: str) -> tuple[float, ...]:
    """Reads a drawn schedule: one base-36 digit per point, 0 to `CURVE_TOP`.

    Raises:
        Refusal: If it has not `CURVE_POINTS` points.
    """
    if len(curve) != CURVE_POINTS:
        raise Refusal(
            Text(
                f"curve must have {CURVE_POINTS} points, got {len(curve)}.",
                f"curve 必须有 {CURVE_POINTS} 个点，收到 {len(curve)} 个。",
            )
        )
    return tuple(CURVE_TOP * _DIGITS.index(digit) / 35 for digit in curve)


def sampler_of(settings: Settings, key: str | None = None) -> Sampler:
    """Returns the sampler that `settings` name, or the one named by `key` with their options.

    Raises:
        Refusal: If this sampler is not defined for the process.
    """
    key = key or settings.sampler
    if key == "ddpm" and settings.process != "vp":
        raise Refusal(
            Text(
                f"sampler ddpm needs the process vp, got {settings.process}: "
                "the discrete chain is its discretisation.",
                f"采样器 ddpm 需要 vp 过程，收到 {settings.process}：离散链是它的离散化。",
            )
        )
    makers: dict[str, Callable[[], Sampler]] = {
        "em": EulerMaruyama,
        "pc": lambda: PredictorCorrector(settings.corrections, settings.snr),
        "heun": Heun,
        "rk45": RK45,
        "ddim": lambda: DDIM(settings.eta),
        "dpm": DPMSolverPP2M,
        "ddpm": DDPM,
    }
    return makers[key]()
