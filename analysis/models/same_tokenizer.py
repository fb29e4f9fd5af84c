"""Whether a model's tokenizer is that of an index of tokens."""

from collections.abc import Sequence
from typing import Any, cast

import suffixindex as si
from analysis.errors import ModelError

PROBES = (
    "It's we'RE I'll don'T  \t two\n\n three \r\n   \n four   ",
    "x1234567 3.14159e-10 ½ x² __init__(self, *args) -> {'a': [1, 2]}; //==!= <|im_start|><s></s>",
    "naïve e\u0301te\u0301 ÉCOLE ﬁ Å straße Привет שלום العربية हिन्दी ไทย 日本語のテキスト。中文，字 한국어",
    "😀👨\u200d👩\u200d👧 \u00a0\u2003\u3000\u200b𝔘𝔫𝔦 ▁ ▁▁ Ċ <0x0A>",
)
"""Texts on which tokenizers with one vocabulary differ: contractions, numbers, white space, accents, scripts, emoji."""


def check_tokenizer(tokenizer: Any, index: "si.SuffixIndex", texts: Sequence[str] = ()) -> None:
    """Make sure that a model's tokenizer gives the ids of an index, which an ∞-gram of the same tokens needs.

    Compares the token of every id that the index knows, then the ids of texts on which tokenizers differ, and of ``texts``,
    for which the answer is proof. The model's may have more tokens than the index (padding, chat).

    Raises
    ------
    ModelError
        The index is not of a Hugging Face tokenizer, or at the first difference.
    """
    kind = index.info()["tokenizer"]["kind"]
    if kind != "huggingface":
        raise ModelError(
            f"the index {index.path} is of {kind}, not of the model's tokens: build one with --tokenizer and the model's name"
        )
    from tokenizers import Tokenizer

    advice = "build the index with this model's tokenizer, or choose a model that has the index's"
    known = Tokenizer.from_str(cast(Any, index.tokenizer).to_json()).get_vocab(with_added_tokens=True)
    own = {number: token for token, number in tokenizer.get_vocab().items()}
    for token, number in sorted(known.items(), key=lambda entry: entry[1]):
        if own.get(number) != token:
            stands = f"is {own[number]!r}" if number in own else "does not exist"
            raise ModelError(
                f"token {number} is {token!r} in the index {index.path} and {stands} in the model's tokenizer: {advice}"
            )
    for text in [*PROBES, *texts]:
        expected = index.encode(text).tolist()
        found = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if found != expected:
            at = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), len(expected))
            raise ModelError(
                f"the text {text[:60]!r} has the ids {expected[at : at + 4]} from token {at} on in the index {index.path}, and "
                f"{found[at : at + 4]} in the model's tokenizer: {advice}"
            )
