"""A tokenizer of whole words that reads English and Chinese.

Chinese needs no words of its own in the vocabulary. The tokenizer's first stage is a dictionary:
every Chinese name, every synonym and every emoji is rewritten as the canonical English name, the
longest first, so "黄色背景上的熊猫" becomes "yellow background on panda". What the model learns
about "panda" it therefore knows in both languages at once. The dictionary is part of
`tokenizer.json`: anyone who loads the pipeline reads Chinese too.

Words outside the vocabulary become `<unk>`; `unknown_words` names them for the reader.
"""

import re
from collections.abc import Iterable
from typing import Any

from core.diffusion.captions import (
    BACKGROUNDS,
    COLOURS_ZH,
    SIDES,
    SIDES_ZH,
    STYLES,
    STYLES_ZH,
)
from core.diffusion.concepts import CONCEPTS, Concept
from core.diffusion.views import HUES

LENGTH = 20
PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<bos>", "<eos>"
UNKNOWN_ID = 1
# Numbers up to this one are special tokens.
SPECIAL = 3
FUNCTION_WORDS = ("a", "an", "the", "on", "in", "and", "with", "of", "style", "background",
                  "small", "mirrored")  # fmt: skip
# Other ways to say what captions say with one word; an empty word is left out.
ENGLISH = {
    "grey": "gray", "violet": "purple", "tiny": "small", "little": "small", "flipped": "mirrored",
    "at": "on", "backdrop": "background",
}  # fmt: skip
CHINESE = {
    **{word: name for name, word in (COLOURS_ZH | SIDES_ZH).items()},
    **{word: name for name, word in STYLES_ZH.items() if word != name},
    "白": "white", "黑": "black", "灰": "gray", "红": "red", "橙": "orange", "黄": "yellow",
    "绿": "green", "蓝": "blue", "紫": "purple", "粉红色": "pink", "粉红": "pink", "粉": "pink",
    "背景": "background", "底色": "background", "风格": "style", "镜像": "mirrored", "小": "small",
    "左侧": "left", "右侧": "right", "左": "left", "右": "right", "上面": "top", "下面": "bottom",
    "平面": "flat", "上": "on", "在": "", "的": "", "一只": "a", "一个": "a", "一张": "a",
    "一朵": "a", "一辆": "a", "一": "a", "和": "and",
}  # fmt: skip


def vocabulary(concepts: Iterable[Concept] = CONCEPTS) -> dict[str, int]:
    """Returns every known word and its number: special tokens, function words, then names."""
    words = [PAD, UNKNOWN, BEGIN, END, *FUNCTION_WORDS, *STYLES, *BACKGROUNDS, *HUES, *SIDES]
    for concept in concepts:
        words += words_of(concept.name)
    return {word: number for number, word in enumerate(dict.fromkeys(words))}


def words_of(text: str) -> list[str]:
    """Splits lower-case English into words of letters and digits."""
    return re.findall(r"[a-z0-9]+", text.lower())


def dictionary(concepts: Iterable[Concept] = CONCEPTS) -> tuple[dict[str, str], dict[str, str]]:
    """Returns rewritings to canonical English: of Latin words, and of anything else."""
    latin, other = dict(ENGLISH), dict(CHINESE)
    names = {concept.name for concept in concepts}
    for concept in concepts:
        for name in (concept.name, *concept.aliases):
            plural = name + ("es" if name.endswith(("s", "x", "ch", "sh", "o")) else "s")
            for spelling in (name, plural, name + "s"):
                if spelling not in names:
                    latin[spelling] = concept.name
        for spelling in (*concept.aliases_zh, concept.emoji.replace("\ufe0f", "")):
            other[spelling.lower()] = concept.name
    return latin, other


def _alone(spelling: str, name: str) -> str:
    """A pattern of a spelling as a whole word, but not where it is a part of its own full name.

    "palm" is short for "palm tree"; in "palm tree" it must stay.
    """
    before, inside, after = f" {name} ".partition(f" {spelling} ")
    guard = ""
    if inside and before:
        guard += f"(?<!{re.escape(before.strip())} )"
    pattern = f"{guard}(?<![a-z0-9]){re.escape(spelling)}(?![a-z0-9])"
    return pattern + (f"(?! {re.escape(after.strip())})" if inside and after.strip() else "")


def build_tokenizer(concepts: Iterable[Concept] = CONCEPTS) -> Any:
    """Returns a `PreTrainedTokenizerFast` that pads and cuts to 20 tokens."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    concepts = tuple(concepts)
    words = vocabulary(concepts)
    latin, other = dictionary(concepts)
    steps: list[Any] = [
        normalizers.NFKD(),
        normalizers.StripAccents(),
        normalizers.Lowercase(),
        normalizers.Replace("\ufe0f", ""),
    ]
    for text in sorted(other, key=len, reverse=True):
        steps.append(normalizers.Replace(text, f" {other[text]} "))
    for text in sorted(latin, key=len, reverse=True):
        steps.append(normalizers.Replace(Regex(_alone(text, latin[text])), latin[text]))
    core = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
    core.normalizer = normalizers.Sequence(steps)
    # Runs of Latin letters and digits are words; any other visible character stands alone.
    word = Regex(r"[a-z0-9]+|[^\sa-z0-9\p{P}]")
    core.pre_tokenizer = pre_tokenizers.Split(word, behavior="removed", invert=True)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}",
        special_tokens=[(BEGIN, words[BEGIN]), (END, words[END])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=LENGTH,
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
    )


def unknown_words(tokenizer: Any, prompt: str) -> list[str]:
    """Returns the parts of a prompt that the model does not know, as they were written.

    Args:
        tokenizer: From `build_tokenizer`, or loaded from a pipeline's directory.
        prompt: Any text.
    """
    found = tokenizer(prompt, return_offsets_mapping=True, add_special_tokens=False)
    spans: list[tuple[int, int]] = []
    for number, (start, end) in zip(found["input_ids"], found["offset_mapping"], strict=True):
        if number != tokenizer.unk_token_id:
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return list(dict.fromkeys(prompt[start:end] for start, end in spans))
