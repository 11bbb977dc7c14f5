"""One row as an online softmax, and a sentence as an attention head."""

import itertools

import pytest
import torch

from core.flash_attention import attention, online_softmax, tokenize, tokens_attention
from core.flash_attention.tokens import GAIN

INF = torch.inf


@pytest.mark.parametrize(
    "row", [[1.0], [3.0, -2.0, 7.0, 7.0, 0.5], [-INF, -INF, 2.0, -INF, 9.0], [3600.0, -3600.0]]
)
def test_after_every_element_the_weights_are_softmax_of_the_row_so_far(row: list[float]) -> None:
    scores, values = torch.tensor(row).double(), torch.randn(len(row), 3).double()
    steps = list(online_softmax(scores, values))
    for count, step in enumerate(steps, 1):
        expected = scores[:count].softmax(0).nan_to_num(0.0)  # a row of −∞ alone gives zeros
        torch.testing.assert_close(step.weights, expected)
        torch.testing.assert_close(step.out, expected @ values[:count])
        assert step.m == scores[:count].max()
        if step.m > -INF:
            assert step.total == pytest.approx(torch.exp(scores[:count] - step.m).sum().item())
    for earlier, later in itertools.pairwise(steps):
        assert (later.m_before, later.total_before) == (earlier.m, earlier.total)
        assert later.total == later.rescale * later.total_before + later.p
    assert steps[0].rescale == 0


def test_nan_and_infinity_make_the_row_nan_as_in_softmax() -> None:
    for bad in (torch.nan, INF):
        *_, last = online_softmax(torch.tensor([1.0, bad, 2.0]))
        assert last.weights.isnan().any()
        assert last.out is None


def test_online_softmax_refuses_with_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"at least 1 number, got shape \(0,\)"):
        online_softmax(torch.zeros(0))
    with pytest.raises(ValueError, match=r"values must have shape \(3, D\), got \(2, 5\)"):
        online_softmax(torch.zeros(3), torch.zeros(2, 5))


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("The glass case holds a small red apple.", "The glass case holds a small red apple ."),
        ("don't stop — it’s 3.5!", "don't stop — it’s 3 . 5 !"),
        ("玻璃柜里的苹果", "玻 璃 柜 里 的 苹 果"),
        ("GPU上的FlashAttention", "GPU 上 的 FlashAttention"),
        ("りんごと사과", "り ん ご と 사 과"),
        ("a 👩‍👩‍👧‍👦 b 👍🏽👍 ❤️🇨🇳🇫🇷1️⃣", "a 👩‍👩‍👧‍👦 b 👍🏽 👍 ❤️ 🇨🇳 🇫🇷 1️⃣"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("cafe\u0301 naïve", "café naïve"),
        ("'quoted' rock'n'roll", "' quoted ' rock'n'roll"),
        ("tab\tnew\nline\u200b\x00end", "tab new line end"),
        ("\u200d", ""),
        ("  ", ""),
    ],
)
def test_tokens_are_words_characters_and_whole_emoji(sentence: str, tokens: str) -> None:
    assert tokenize(sentence) == tuple(tokens.split())


def test_equal_words_are_equal_and_attend_to_each_other() -> None:
    head = tokens_attention("the cat and the dog and THE bird", head_dim=64)
    assert head.tokens[3] == "the"
    scores = head.q @ head.k.mT / 64**0.5
    kin = [0, 3, 6]
    others = [column for column in range(8) if column not in kin]
    assert scores[3, kin].min() > scores[3, others].max()
    assert scores.diag().mean().item() == pytest.approx(GAIN, rel=0.3)
    out = attention(*(each[None, None] for each in (head.q, head.k, head.v)))
    assert out.shape == (1, 1, 8, 64)
    assert head.v.std().item() == pytest.approx(1, rel=0.3)


def test_a_sentence_gives_the_same_numbers_every_time_and_others_for_another_seed() -> None:
    one, two, other = (tokens_attention("苹果 apple 🍎", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.q, two.q)
    assert torch.equal(one.v, two.v)
    assert not torch.allclose(one.q, other.q)


def test_a_lone_surrogate_is_no_accident() -> None:
    assert tokens_attention("a \ud800 b").tokens == ("a", "b")


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("", "sentence must have at least 1 token, got none"),
        (" \n\t", "sentence must have at least 1 token, got none"),
        ("a" * 10_000, "sentence must have at most 2000 characters, got 10000"),
        ("字" * 129, "sentence must have at most 128 tokens, got 129"),
    ],
)
def test_sentences_that_do_not_fit_are_refused(sentence: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tokens_attention(sentence)


def test_head_dim_is_refused_below_one() -> None:
    with pytest.raises(ValueError, match="head_dim must be at least 1, got 0"):
        tokens_attention("a", head_dim=0)
