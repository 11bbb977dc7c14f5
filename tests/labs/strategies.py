"""Hypothesis strategies, derived from what a lab declares of its settings."""

from hypothesis import strategies as st

from labs.controls import Choice, Code, Ink, Integer, Number, Spec, Toggle, Words, defaults, specs


def values(spec: Spec, default: object) -> st.SearchStrategy:
    """Values that `spec` takes."""
    if isinstance(spec, Integer):
        return st.integers(int(spec.minimum), int(spec.maximum))
    if isinstance(spec, Number):
        return st.floats(spec.minimum, spec.maximum, allow_nan=False)
    if isinstance(spec, Choice):
        return st.sampled_from(list(spec.options))
    if isinstance(spec, Toggle):
        return st.booleans()
    if isinstance(spec, Words):
        letters = st.characters(min_codepoint=33, max_codepoint=0x4E50)
        words = st.text(letters, min_size=1, max_size=spec.longest)
        return words.filter(lambda text: text == " ".join(text.split()) != "")
    if isinstance(spec, Ink):
        return st.just(default)
    assert isinstance(spec, Code)
    return st.from_regex(f"[{spec.alphabet}]{{0,{spec.longest}}}", fullmatch=True)


def settings(kind: type) -> st.SearchStrategy:
    """Whole instances of a lab's `Settings`."""
    given = defaults(kind)
    return st.builds(kind, **{n: values(spec, given[n]) for n, spec in specs(kind).items()})


def outside(spec: Spec) -> list[object]:
    """Values that `spec` must refuse: past every bound, and of the wrong type."""
    wrong: list[object] = [None, [], {}, float("nan")]
    if isinstance(spec, Integer):
        wrong += [spec.minimum + 0.5]
    if isinstance(spec, Number):
        beyond = [spec.minimum - 1, spec.maximum + 1, float("inf"), float("-inf"), 10**400]
        return [*wrong, *beyond, "many", "", True]
    if isinstance(spec, Choice):
        return [*wrong, "", "no such option", "x" * 10_000, 3]
    if isinstance(spec, Toggle):
        return [*wrong, "maybe", 3]
    if isinstance(spec, Words):
        return [*wrong, "", "   ", "x" * 10_000, 3]
    return [*wrong, "x" * 10_000, "<script>", "../../etc", 3]


def bounds(spec: Spec, default: object) -> list[object]:
    """The extreme values that `spec` must take."""
    if isinstance(spec, Number):
        return [spec.minimum, spec.maximum]
    if isinstance(spec, Choice):
        return list(spec.options)
    if isinstance(spec, Toggle):
        return [False, True]
    return [default]
