"""Command line: `python -m core.diffusion.data` builds the training data and prints its card.

Downloads the packages (npm; Noto's font comes from Debian's `fonts-noto-color-emoji`), draws every
picture once and keeps the atlas in the cache folder.
"""

import argparse
from collections import Counter

from core.diffusion.cache import cache_directory
from core.diffusion.captions import catalogue
from core.diffusion.concepts import (
    CONCEPTS,
    HELD_OUT_BACKGROUNDS,
    HELD_OUT_COLOURS,
    HELD_OUT_STYLES,
)
from core.diffusion.sources import FAMILIES, NAMES, Atlas, build, load_atlas, save_atlas


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{concept} + {other}" for concept, other in pairs)


def card(atlas: Atlas) -> str:
    """Returns the data's card: counts, licences, attributions and held-out pairs, in Markdown."""
    drawn = Counter(atlas.styles)
    source = catalogue(atlas.codes, atlas.styles)
    shown = Counter(style for _, style in source.pictures())
    lines = [
        "| style word | source | version | licence | pictures | of the concepts, trained on |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for family in FAMILIES:
        lines.append(
            f"| {family.style} | {family.package} | {family.version} | {family.licence} "
            f"| {drawn[family.style]} | {shown[family.style]} |"
        )
    groups = Counter(concept.group for concept in CONCEPTS)
    counted = ", ".join(f"{count} {group}" for group, count in groups.items())
    return "\n".join(
        [
            *lines,
            "",
            f"Names in English and Chinese: {NAMES.package} {NAMES.version} ({NAMES.licence}) and "
            "the table in `core/diffusion/concepts.py`.",
            "",
            "Attributions: " + "; ".join(f.attribution for f in (*FAMILIES, NAMES)) + ".",
            "",
            f"{len(CONCEPTS)} concepts: {counted}. Skin tones, flags, letters and symbols are out. "
            "The autoencoder is trained on all pictures but one in forty.",
            "",
            f"Held-out styles: {_pairs(HELD_OUT_STYLES)}.",
            "",
            f"Held-out colours: {_pairs(HELD_OUT_COLOURS)}.",
            "",
            f"Held-out backgrounds: {_pairs(HELD_OUT_BACKGROUNDS)}.",
        ]
    )


def main() -> None:
    """Builds the atlas unless it is there, then prints the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="draw everything anew")
    arguments = parser.parse_args()
    folder = cache_directory()
    path = folder / "atlas.npz"
    if arguments.again or not path.exists():
        save_atlas(build(folder / "packages"), path)
    print(card(load_atlas(path)))


if __name__ == "__main__":
    main()
