"""Pictures with words: three families of emoji under open licences, drawn into one atlas.

An emoji is a picture that everybody already named: Unicode gives it a code, and `emojibase-data`
gives that code a label, keywords and a group in English and Chinese. Three families draw the same
code in three styles, so a caption such as "apple, flat" can be told from "apple, 3d".

Everything comes from package registries (npm and Debian). Cells are 64 × 64 pixels of
*premultiplied* RGBA: colour is already multiplied by alpha, so pictures can be scaled and laid over
a background without dark fringes.
"""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.diffusion.cache import replacing

CELL = 64
# The drawing's longer side; what is left of the cell keeps resampling away from its edge.
INK = 62
# The only size at which Noto Color Emoji holds bitmaps (136 × 128 pixels).
NOTO_POINTS = 109
NOTO_FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
# Symbols, flags and components (skin tones, hair) are signs and letters rather than things.
SKIPPED_GROUPS = (2, 8, 9)


@dataclass(frozen=True)
class Family:
    """One family of emoji: the word its style has in captions, and where it comes from."""

    style: str
    package: str
    version: str
    licence: str
    attribution: str


FAMILIES = (
    Family(
        "3d",
        "npm @lobehub/fluent-emoji-3d",
        "1.1.0",
        "MIT",
        "Fluent Emoji by Microsoft, packaged by LobeHub",
    ),
    Family(
        "noto",
        "Debian fonts-noto-color-emoji",
        "2.042",
        "OFL-1.1",
        "Noto Color Emoji by Google",
    ),
    Family(
        "flat",
        "npm @twemoji/svg",
        "15.0.0",
        "CC-BY-4.0 (artwork)",
        "Twemoji, copyright Twitter, Inc and other contributors, "
        "https://creativecommons.org/licenses/by/4.0/",
    ),
)
NAMES = Family(
    "names", "npm emojibase-data", "17.0.0", "MIT", "Emojibase by Miles Johnson, from Unicode CLDR"
)


@dataclass(frozen=True)
class Name:
    """What one emoji is called, in both languages.

    `code` is its Unicode sequence in lower-case hexadecimal, joined by hyphens, without variation
    selectors and leading zeros: the key on which families and names are joined.
    """

    code: str
    emoji: str
    label: str
    tags: tuple[str, ...]
    label_zh: str
    tags_zh: tuple[str, ...]
    group: int


@dataclass(frozen=True)
class Atlas:
    """Every picture in memory.

    `pixels` is uint8 premultiplied RGBA of shape (N, 64, 64, 4), row by row what `codes` and
    `styles` name.
    """

    pixels: NDArray[np.uint8]
    codes: tuple[str, ...]
    styles: tuple[str, ...]
    names: dict[str, Name]


def canonical(code: str) -> str:
    """Returns an emoji's hexadecimal sequence in the form on which all sources agree."""
    parts = (part.lower() for part in code.replace("_", "-").split("-"))
    return "-".join(part.lstrip("0") or "0" for part in parts if part != "fe0f")


def code_of(emoji: str) -> str:
    """Returns the canonical code of an emoji given as text."""
    return canonical("-".join(f"{ord(character):x}" for character in emoji))


def fetch(family: Family, folder: Path) -> Path:
    """Returns the package's archive, downloaded by npm if the folder lacks it."""
    package = family.package.removeprefix("npm ")
    archive = folder / f"{package.removeprefix('@').replace('/', '-')}-{family.version}.tgz"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", f"{package}@{family.version}"]
        subprocess.run([*command, "--pack-destination", str(folder)], check=True)
    return archive


def members(archive: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yields the path and the bytes of each file in the archive that ends with `suffix`."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(suffix):
                stream = tar.extractfile(member)
                assert stream is not None
                yield member.name, stream.read()


def read_names(english: list[dict[str, Any]], chinese: list[dict[str, Any]]) -> dict[str, Name]:
    """Joins the two languages' tables of emojibase on their codes.

    Skin-toned variants are nested under their base entry there, so reading only the top level
    leaves them out; flags, symbols and components are left out by group.
    """
    translated = {entry["hexcode"]: entry for entry in chinese}
    names = {}
    for entry in english:
        group = entry.get("group", -1)
        if group < 0 or group in SKIPPED_GROUPS:
            continue
        other = translated.get(entry["hexcode"], {})
        code = canonical(entry["hexcode"])
        names[code] = Name(
            code,
            entry["emoji"],
            entry["label"].lower(),
            tuple(entry.get("tags", ())),
            other.get("label", ""),
            tuple(other.get("tags", ())),
            group,
        )
    return names


def fit(picture: Image.Image) -> NDArray[np.uint8] | None:
    """Crops a picture to its ink, scales the longer side to 62 pixels and centres it in a cell.

    Args:
        picture: Any size, straight (not premultiplied) RGBA.

    Returns:
        Premultiplied RGBA of shape (64, 64, 4), or None if nothing is drawn.
    """
    box = picture.getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
    if box is None:
        return None
    inked = picture.crop(box).convert("RGBa")
    scale = INK / max(inked.size)
    size = (max(1, round(inked.width * scale)), max(1, round(inked.height * scale)))
    inked = inked.resize(size, Image.Resampling.LANCZOS)
    cell = np.zeros((CELL, CELL, 4), np.uint8)
    top, left = (CELL - size[1]) // 2, (CELL - size[0]) // 2
    pixels = np.asarray(inked)
    # Lanczos overshoots: no colour may exceed its alpha, or the picture would glow.
    cell[top : top + size[1], left : left + size[0]] = np.minimum(pixels, pixels[..., 3:])
    return cell


def _fluent(folder: Path, names: dict[str, Name]) -> Iterator[tuple[str, Image.Image]]:
    for path, data in members(fetch(FAMILIES[0], folder), ".webp"):
        code = canonical(Path(path).stem)
        if code in names:
            yield code, Image.open(io.BytesIO(data)).convert("RGBA")


def _noto(_: Path, names: dict[str, Name]) -> Iterator[tuple[str, Image.Image]]:
    if not NOTO_FONT.exists():
        raise FileNotFoundError(f"{NOTO_FONT} is missing: install Debian's fonts-noto-color-emoji.")
    font = ImageFont.truetype(str(NOTO_FONT), NOTO_POINTS)
    for code, name in names.items():
        picture = Image.new("RGBA", (300, 160))
        ImageDraw.Draw(picture).text((4, 4), name.emoji, font=font, embedded_color=True)
        box = picture.getchannel("A").getbbox()
        # A sequence that the font cannot join is drawn as two pictures side by side.
        if box is not None and box[2] <= 145:
            yield code, picture


def _twemoji(folder: Path, names: dict[str, Name]) -> Iterator[tuple[str, Image.Image]]:
    import cairosvg  # type: ignore[import-not-found,import-untyped,unused-ignore]

    for path, data in members(fetch(FAMILIES[2], folder), ".svg"):
        code = canonical(Path(path).stem)
        if code in names:
            png = cairosvg.svg2png(bytestring=data, output_width=256, output_height=256)
            yield code, Image.open(io.BytesIO(png)).convert("RGBA")


def build(folder: Path) -> Atlas:
    """Downloads what is missing and draws every named emoji of every family.

    Args:
        folder: Where package archives are kept.
    """
    archive = fetch(NAMES, folder)
    tables = {path: data for path, data in members(archive, "/data.json")}
    english, chinese = (json.loads(tables[f"package/{code}/data.json"]) for code in ("en", "zh"))
    names = read_names(english, chinese)
    cells, codes, styles = [], [], []
    for family, draw in zip(FAMILIES, (_fluent, _noto, _twemoji), strict=True):
        drawn = {code: fit(picture) for code, picture in draw(folder, names)}
        for code in sorted(drawn):
            cell = drawn[code]
            if cell is not None:
                cells.append(cell)
                codes.append(code)
                styles.append(family.style)
    return Atlas(np.stack(cells), tuple(codes), tuple(styles), names)


def save_atlas(atlas: Atlas, path: Path) -> None:
    """Writes the atlas as one compressed .npz file."""
    index = {
        "codes": atlas.codes,
        "styles": atlas.styles,
        "names": [asdict(name) for name in atlas.names.values()],
    }
    with replacing(path) as partial:
        np.savez_compressed(partial, pixels=atlas.pixels, index=np.array(json.dumps(index)))


def load_atlas(path: Path) -> Atlas:
    """Reads what `save_atlas` wrote.

    Raises:
        FileNotFoundError: If the atlas was not built yet; the message says how.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `python -m core.diffusion.data` first.")
    with np.load(path) as file:
        pixels, index = file["pixels"], json.loads(str(file["index"]))
    names = {}
    for entry in index["names"]:
        entry["tags"], entry["tags_zh"] = tuple(entry["tags"]), tuple(entry["tags_zh"])
        names[entry["code"]] = Name(**entry)
    return Atlas(pixels, tuple(index["codes"]), tuple(index["styles"]), names)
