"""Laws of the data: names, cells, views, captions, tokens. No network, no cache."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from core.diffusion.cache import cache_directory, replacing
from core.diffusion.captions import (
    BACKGROUNDS,
    COLOURS_ZH,
    SIDES,
    STYLES,
    Shares,
    catalogue,
    chinese,
    draw_views,
    english,
    render_views,
)
from core.diffusion.concepts import (
    CONCEPTS,
    FAVOURITES,
    HELD_OUT_BACKGROUNDS,
    HELD_OUT_COLOURS,
    HELD_OUT_STYLES,
)
from core.diffusion.data import card
from core.diffusion.sources import (
    FAMILIES,
    Atlas,
    canonical,
    code_of,
    fit,
    load_atlas,
    read_names,
    save_atlas,
)
from core.diffusion.tokenizer import (
    BEGIN,
    END,
    LENGTH,
    UNKNOWN_ID,
    build_tokenizer,
    unknown_words,
    vocabulary,
    words_of,
)
from core.diffusion.views import (
    HUES,
    Placement,
    hsv_to_rgb,
    measure_ink,
    over,
    place,
    recolour,
    rgb_to_hsv,
)


def disc(colour, centre=(32, 32), radius=20):
    """A premultiplied cell with a disc, float of shape (1, 4, 64, 64)."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    inside = ((rows - centre[1]) ** 2 + (columns - centre[0]) ** 2 < radius**2).float()
    rgba = torch.tensor([*colour, 1.0]).view(4, 1, 1)
    return (rgba * inside)[None]


def placement(scale=1.0, shift=(0.0, 0.0), mirrored=False):
    return Placement(torch.tensor([scale]), torch.tensor([shift]), torch.tensor([mirrored]))


@pytest.fixture(scope="module")
def every_picture():
    """A catalogue as if all families drew all concepts."""
    pairs = [(concept.code, style) for concept in CONCEPTS for style in STYLES]
    return catalogue(*zip(*pairs, strict=True))


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def tokens(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])


# Sources


def test_codes_from_every_source_agree():
    assert canonical("2764-FE0F") == canonical("2764") == code_of("❤️") == "2764"
    assert canonical("0023-fe0f-20e3") == canonical("23-20e3")
    assert code_of("👨‍👩‍👧") == "1f468-200d-1f469-200d-1f467"


def test_names_join_languages_and_leave_out_signs():
    english_table = [
        {"hexcode": "1F34E", "emoji": "🍎", "label": "Red apple", "tags": ["fruit"], "group": 4},
        {"hexcode": "1F1E8-1F1ED", "emoji": "🇨🇭", "label": "flag", "group": 9},
        {"hexcode": "1F3FB", "emoji": "🏻", "label": "light skin tone", "group": 2},
        {"hexcode": "1F1E6", "emoji": "🇦", "label": "regional indicator"},
    ]
    chinese_table = [{"hexcode": "1F34E", "label": "红苹果", "tags": ["水果"]}]
    names = read_names(english_table, chinese_table)
    assert list(names) == ["1f34e"]
    assert (names["1f34e"].label, names["1f34e"].label_zh) == ("red apple", "红苹果")


@pytest.mark.parametrize("box", [(10, 20, 90, 40), (0, 0, 200, 160), (50, 3, 60, 150)])
def test_fit_centres_ink_and_premultiplies(box):
    picture = Image.new("RGBA", (220, 160))
    ImageDraw.Draw(picture).ellipse(box, fill=(200, 100, 50, 128))
    cell = fit(picture)
    assert (cell[..., :3] <= cell[..., 3:]).all()
    rows, columns = np.nonzero(cell[..., 3] > 8)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (60, 61, 62)
    assert abs((rows.min() + rows.max()) / 2 - 31.5) <= 1
    assert abs((columns.min() + columns.max()) / 2 - 31.5) <= 1


def test_fit_of_nothing_is_nothing():
    assert fit(Image.new("RGBA", (30, 30))) is None


def test_atlas_survives_the_disk(tmp_path):
    names = read_names(
        [{"hexcode": "1F34E", "emoji": "🍎", "label": "apple", "tags": ["a"], "group": 4}], []
    )
    pixels = np.arange(64 * 64 * 4, dtype=np.uint32).astype(np.uint8).reshape(1, 64, 64, 4)
    atlas = Atlas(pixels, ("1f34e",), ("3d",), names)
    save_atlas(atlas, tmp_path / "atlas.npz")
    again = load_atlas(tmp_path / "atlas.npz")
    assert (again.pixels == pixels).all()
    assert dataclasses.replace(again, pixels=pixels) == dataclasses.replace(atlas, pixels=pixels)
    text = card(again)
    assert all(family.licence in text and family.attribution in text for family in FAMILIES)


def test_missing_atlas_says_how_to_build_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m core\.diffusion\.data"):
        load_atlas(tmp_path / "atlas.npz")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.bin"
    path.write_bytes(b"old")

    def write():
        with replacing(path) as partial:
            partial.write_bytes(b"half of the n")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_cache_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("VITRINE_CACHE", raising=False)
    assert cache_directory() == tmp_path / "xdg" / "vitrine" / "diffusion"
    monkeypatch.setenv("VITRINE_CACHE", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine" / "diffusion"


# Views


def test_placing_at_rest_changes_nothing():
    cell = torch.rand(1, 4, 64, 64)
    torch.testing.assert_close(place(cell, placement()), cell, atol=1e-5, rtol=0)


def test_mirroring_twice_changes_nothing():
    cell = torch.rand(1, 4, 64, 64)
    once = place(cell, placement(mirrored=True))
    torch.testing.assert_close(once, cell.flip(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("shift", [(0.25, 0.0), (0.0, -0.5), (-0.125, 0.25)])
def test_shift_is_right_and_down_in_half_sides(shift, mirrored):
    placed = place(disc((1, 0, 0), radius=6), placement(shift=shift, mirrored=mirrored))[0, 3]
    rows, columns = torch.nonzero(placed > 0.5, as_tuple=True)
    assert columns.float().mean() == pytest.approx(31.5 + 32 * shift[0], abs=0.6)
    assert rows.float().mean() == pytest.approx(31.5 + 32 * shift[1], abs=0.6)


def test_scale_multiplies_the_ink():
    cell = disc((1, 0, 0), radius=20)
    half = place(cell, placement(scale=0.5))
    assert half[0, 3].sum() / cell[0, 3].sum() == pytest.approx(0.25, rel=0.03)


def test_over_shows_ink_and_background():
    picture = over(disc((1.0, 0.0, 0.0)), torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1))
    assert picture[0, :, 32, 32].tolist() == [1.0, -1.0, -1.0]
    assert picture[0, :, 0, 0].tolist() == [-1.0, 0.0, 1.0]


def test_hsv_is_inverted():
    rgb = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(hsv_to_rgb(*rgb_to_hsv(rgb)), rgb, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", list(HUES))
@pytest.mark.parametrize("before", [(0.9, 0.2, 0.1), (0.1, 0.2, 0.8), (0.9, 0.9, 0.9)])
def test_recolouring_reaches_the_hue_and_keeps_the_shape(name, before):
    cell = disc(before)
    hue, factor = HUES[name]
    painted = recolour(cell, torch.tensor([hue]), torch.tensor([factor]))
    assert (painted[:, 3] == cell[:, 3]).all()
    away = (measure_ink(painted).hue - hue + 0.5) % 1 - 0.5
    assert away.abs().item() < 0.05


def test_recolouring_keeps_other_colours():
    berry, leaf = disc((0.9, 0.1, 0.1), (32, 40), 18), disc((0.1, 0.7, 0.2), (32, 10), 8)
    painted = recolour(berry + leaf, torch.tensor([0.6]), torch.tensor([1.0]))
    torch.testing.assert_close(painted[0, :, 10, 32], leaf[0, :, 10, 32], atol=1e-5, rtol=0)
    assert painted[0, 2, 40, 32] > 0.8 > 0.3 > painted[0, 0, 40, 32]


# Concepts and captions


def test_concepts_are_many_distinct_and_named_in_both_languages():
    assert len(CONCEPTS) >= 200
    assert len({concept.code for concept in CONCEPTS}) == len(CONCEPTS)
    spellings = [name for c in CONCEPTS for name in (c.name, *c.aliases, *c.aliases_zh, c.emoji)]
    assert len(set(spellings)) == len(spellings)
    assert all(concept.aliases_zh and concept.aliases_zh[0] for concept in CONCEPTS)
    assert {concept.group for concept in CONCEPTS} == {
        "animals", "food", "nature", "vehicles", "faces", "things"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "values"),
    [
        (HELD_OUT_STYLES, STYLES),
        (HELD_OUT_COLOURS, tuple(HUES)),
        (HELD_OUT_BACKGROUNDS, tuple(BACKGROUNDS)),
    ],
)
def test_held_out_pairs_name_known_things(pairs, values):
    names = {concept.name for concept in CONCEPTS}
    assert len(set(pairs)) == len(pairs)
    assert all(name in names and value in values for name, value in pairs)


def test_views_never_show_a_held_out_pair(every_picture):
    views = draw_views(every_picture, 20_000, torch.Generator().manual_seed(0))
    assert not {(v.concept, v.style) for v in views} & set(HELD_OUT_STYLES)
    assert not {(v.concept, v.colour) for v in views} & set(HELD_OUT_COLOURS)
    assert not {(v.concept, v.background) for v in views} & set(HELD_OUT_BACKGROUNDS)


def test_views_cover_everything_else(every_picture):
    views = draw_views(every_picture, 20_000, torch.Generator().manual_seed(0))
    assert len({(v.concept, v.style) for v in views}) == 3 * len(CONCEPTS) - len(HELD_OUT_STYLES)
    assert {v.background for v in views} == set(BACKGROUNDS)
    assert {v.colour for v in views} == {None, *HUES}
    assert {v.side for v in views} == {None, *SIDES}


def test_favourites_get_their_extra_share(every_picture):
    assert {concept.name for concept in CONCEPTS} > FAVOURITES
    shares = Shares(favourite=0.7)
    views = draw_views(every_picture, 5000, torch.Generator().manual_seed(0), shares)
    share = sum(view.concept in FAVOURITES for view in views) / len(views)
    assert share == pytest.approx(0.7 + 0.3 * len(FAVOURITES) / len(CONCEPTS), abs=0.02)


def test_views_depend_on_the_generator_alone(every_picture):
    first, again, other = (
        draw_views(every_picture, 50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_captions_say_what_was_done(every_picture, tokenizer):
    loud = Shares(silent_white=0, silent_3d=0, silent_style=0)
    for view in draw_views(every_picture, 400, torch.Generator().manual_seed(3), loud):
        said = tokens(tokenizer, view.caption)
        wanted = [*words_of(view.concept), view.style, view.background, "background"]
        wanted += [word for word in (view.colour, view.side) if word]
        wanted += ["small"] * view.small + ["mirrored"] * view.mirrored
        assert set(wanted) <= set(said), view.caption
        assert "<unk>" not in said, view.caption
        assert len(said) <= LENGTH - 2


def test_a_caption_in_each_language(every_picture):
    view = draw_views(every_picture, 1, torch.Generator().manual_seed(0))[0]
    view = dataclasses.replace(
        view, concept="apple", style="3d", background="blue", colour="green", side="left",
        small=True, mirrored=True,
    )  # fmt: skip
    assert english(view, True, (False, False)) == (
        "a small green apple, 3d, mirrored, on the left, on a blue background"
    )
    assert english(view, False, (True, True)) == "small green apple, mirrored, on the left"
    assert chinese(view, "苹果", (False, False)) == "蓝色背景上的小的绿色苹果，立体，镜像，左边"
    assert set(COLOURS_ZH) == set(BACKGROUNDS)


def test_rendered_views_have_their_background(every_picture):
    views = draw_views(every_picture, 8, torch.Generator().manual_seed(0))
    cells = torch.zeros(3 * len(CONCEPTS), 4, 64, 64, dtype=torch.uint8)
    pictures = render_views(views, cells)
    for view, picture in zip(views, pictures, strict=True):
        expected = torch.tensor(BACKGROUNDS[view.background]) * 2 - 1
        torch.testing.assert_close(picture[:, 5, 9], expected)


# Tokenizer


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.name)
def test_every_name_reads_as_the_canonical_one(concept, tokenizer):
    words = words_of(concept.name)
    for name in (concept.name, *concept.aliases, *concept.aliases_zh, concept.emoji):
        assert tokens(tokenizer, name) == words, name
        assert tokens(tokenizer, f"A {name.upper()}!")[1:] == words, name


def test_chinese_needs_no_spaces(tokenizer):
    assert tokens(tokenizer, "黄色背景上的熊猫") == ["yellow", "background", "on", "panda"]
    assert tokens(tokenizer, "西红柿和小鸡") == ["tomato", "and", "chick"]


def test_unknown_words_are_reported_as_written(tokenizer):
    prompt = "two Quantum burgers, 泰坦尼克号 🍎🦠 Piñata"
    assert unknown_words(tokenizer, prompt) == ["two", "Quantum", "泰坦尼克号", "🦠", "Piñata"]
    assert unknown_words(tokenizer, "a blue strawberry, 3d, 红色背景") == []


def test_empty_long_and_strange_prompts(tokenizer):
    assert tokens(tokenizer, " ,.!? ") == []
    assert tokenizer.convert_ids_to_tokens(tokenizer("")["input_ids"]) == [BEGIN, END]
    found = tokenizer("panda 熊猫🐼" * 625, padding="max_length", truncation=True)["input_ids"]
    assert len(found) == LENGTH
    assert unknown_words(tokenizer, "\x00") in ([], ["\x00"])


def test_vocabulary_numbers_are_dense_and_special_tokens_lead():
    words = vocabulary()
    assert list(words.values()) == list(range(len(words)))
    assert words["<unk>"] == UNKNOWN_ID
    assert list(words)[:4] == ["<pad>", "<unk>", "<bos>", "<eos>"]
