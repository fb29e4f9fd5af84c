"""Where the fast tokenizer engine and the reference are known to differ: found by comparing them, not guessed."""

import re
from collections.abc import Iterator
from typing import Any

# Oniguruma and PCRE2 differ on these: \s with U+180E, (?i:s) with U+017F, (?i:k) with U+212A. Found by comparing both
# engines on every code point in the layouts of GPT-2, GPT-4, GPT-4o, Llama 3, Qwen 2, DeepSeek and StarCoder.
DOUBTFUL = "\u017f\u180e\u212a"

# Regexes that both engines read alike. Oniguruma's ^ $ \h \w \b [[:posix:]] && {n}+ and scripts mean something else
# in PCRE2, or follow another Unicode version: measured, not guessed.
_ESCAPE = r"\\(?:[sSrnt]|[pP]\{[LMNPSZ][a-z]?\}|[^\sA-Za-z0-9])"
_CLASS = rf"\[\^?(?:{_ESCAPE}|&(?!&)|[^\[\]\\&])+\]"
_GROUP = r"\((?!\?)|\(\?(?:[:=!]|<[=!]|i:)"
_REPEAT = r"\{\d+(?:,\d*)?\}(?!\+)"
PORTABLE = re.compile(rf"(?:{_ESCAPE}|{_CLASS}|{_GROUP}|{_REPEAT}|[^\\\[\](){{}}^$.]|\))*")

PROBES = (
    "It's we'RE I'll don'T 'twas 's 'S he'd\u2019s  \t two\n\n three \r\n\r\n   \n four   ",
    "x1234567 3.14159e-10 ٣٤٥ ３４ ½ Ⅷ x² __init__(self, *args) -> {'a': [1, 2]}; //==!= \\n <|im_start|><s></s>",
    "naïve e\u0301te\u0301 ÉCOLE ﬁ Å straße İstanbul ΌΔΟΣ Привет שלום العربية हिन्दी ไทย 日本語のテキスト。中文，字 한국어 각",
    "😀👨\u200d👩\u200d👧🏽\u20e3 \u00a0\u2003\u3000\u200b\u2028\u0085\ufeff\x00\x0b\x1c \U0010ffff𝔘𝔫𝔦 a\u0301\u0327\u0301 ▁ ▁▁ Ċ",
    "a" * 40 + " " * 40 + "\n" * 9 + "-" * 40 + "é" * 20 + "中" * 20 + "0" * 20 + " \t" * 9 + "<0x0A>\n",
    "",
    " ",
    "\n",
)


def unsupported(pipeline: dict[str, Any]) -> str | None:
    """What in a pipeline the two engines are known to treat differently; the fast one itself refuses much more."""
    normalizer = pipeline.get("normalizer")
    for step in flatten(normalizer):
        if step["type"] == "Replace" and "Regex" in step["pattern"]:
            return f"normalizer with the regex {step['pattern']['Regex']!r}"
    for step in flatten(pipeline.get("pre_tokenizer")):
        regex = step["pattern"].get("Regex") if step["type"] == "Split" else None
        if regex is not None and not (PORTABLE.fullmatch(regex) and (regex.isascii() or "(?i" not in regex)):
            return f"regex {regex[:60]!r}"
    added = pipeline.get("added_tokens") or []
    if pipeline["model"]["type"] == "BPE":  # "<0x0A>" in a text would become that byte where "<" is no entry
        vocabulary = pipeline["model"]["vocab"].keys()
        entries = vocabulary - {token["content"] for token in added}
        if missing := set().union(*entries) - vocabulary:
            return f"vocabulary without the character {min(missing)!r} of longer entries"
    if any(token["single_word"] for token in added):
        return "added tokens that match whole words only"
    early = [token for token in added if not token["normalized"]]
    late = [token for token in added if token["normalized"]]
    if normalizer is None and early and late:  # one pass for both, where the reference finds `early` first
        strips = any(token["lstrip"] or token["rstrip"] for token in added)
        if strips or _characters(early) & _characters(late):
            return "added tokens that overlap, some matched before and some after normalization"
    return None


def _characters(added: list[dict[str, Any]]) -> set[str]:
    return {character for token in added for character in token["content"]}


def flatten(step: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """A step of a pipeline, and the steps in it if it is a sequence."""
    if step is None:
        return
    if step["type"] != "Sequence":
        yield step
    for inner in step.get("normalizers") or step.get("pretokenizers") or ():
        yield from flatten(inner)
