"""Tokenizers of the kinds that models have, small ones made on the spot, and texts that are hard on them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

tokenizers = pytest.importorskip("tokenizers", reason="the extra hf is not installed")

from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

TEXTS = [
    "The suffix array of a text is the sorted list of its suffixes; it's what we'll count with, isn't it?\n",
    "Natural language processing: 1234567 tokens, 12.5 %, don't you'd they've I'm.\n\n\tdef f(x):\n        return x  # ok\n",
    "Été à l'école, naïve cœur; straße, Ångström. Привет, мир! 你好，世界。こんにちは 한국어 😀👩\u200d👧 e\u0301 a\u0308",
    "  two   three    four     five      six\r\n\r\n   the the of of and and language language suffix suffix",
] * 3

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": LLAMA3,
    "qwen2": LLAMA3.replace("{1,3}", ""),
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
}

SPACES = [(" " * n, "normalized") for n in range(2, 8)]


def byte_level(
    regex: str | None = None, *, normalizer: Any = None, digits: bool = False, prefix: bool = False, **model: Any
) -> dict[str, Any]:
    """tokenizer.json of a byte-level BPE, with GPT-2's own split or with a regex."""
    tokenizer = tokenizers.Tokenizer(models.BPE(**model))
    steps: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex is None)]
    if digits:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    if regex:
        steps.insert(0, pre_tokenizers.Split(tokenizers.Regex(regex), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    template = {"single": "<|endoftext|> $A", "special_tokens": [("<|endoftext|>", 0)]}
    tokenizer.post_processor = processors.TemplateProcessing(**template)
    return json.loads(tokenizer.to_str())


def sentencepiece(*, metaspace: bool = False, alphabet: str = "<0x123456789ABCDEF>") -> dict[str, Any]:
    """tokenizer.json like Llama 2's: no splits, ``▁`` for the space, bytes for what the vocabulary lacks."""
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, limit_alphabet=60, initial_alphabet=list(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    pipeline = json.loads(tokenizer.to_str())
    pipeline["added_tokens"] = pipeline["added_tokens"][:3]
    pipeline["model"] |= {"byte_fallback": True, "fuse_unk": True}
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tokenizer.pre_tokenizer = None
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    content = json.loads(tokenizer.to_str())
    return pipeline | {key: content[key] for key in ("normalizer", "pre_tokenizer", "decoder")}


def wordpiece() -> dict[str, Any]:
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return json.loads(tokenizer.to_str())


def unigram() -> dict[str, Any]:
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=["</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return json.loads(tokenizer.to_str())


def with_added(pipeline: dict[str, Any], *tokens: tuple[str, str]) -> dict[str, Any]:
    first = 1 + max(*pipeline["model"]["vocab"].values(), *(token["id"] for token in pipeline["added_tokens"]))
    flags = ("special", "normalized", "lstrip", "rstrip", "single_word")
    new = [
        {"id": first + i, "content": content} | {flag: flag in given.split() for flag in flags}
        for i, (content, given) in enumerate(tokens)
    ]
    return pipeline | {"added_tokens": pipeline["added_tokens"] + new}


FAST: dict[str, Callable[[], dict[str, Any]]] = {
    "gpt2": byte_level,
    "gpt2-prefix-space": lambda: byte_level(prefix=True),
    "gpt2-regex": lambda: byte_level(SPLITS["gpt2"]),
    "neox": lambda: with_added(byte_level(normalizer=normalizers.NFC()), ("<|padding|>", "special"), *SPACES),
    "olmo": lambda: with_added(byte_level(normalizer=normalizers.NFC()), ("|||EMAIL_ADDRESS|||", ""), *SPACES),
    "llama2": sentencepiece,
    "llama3": lambda: with_added(byte_level(SPLITS["llama3"], ignore_merges=True), ("<|eot_id|>", "special")),
    "qwen2": lambda: with_added(byte_level(SPLITS["qwen2"], normalizer=normalizers.NFC()), ("<tool_call>", "")),
    "cl100k": lambda: byte_level(SPLITS["cl100k"]),
    "starcoder": lambda: byte_level(digits=True),
    "lower": lambda: with_added(
        byte_level(normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])),
        ("<mask>", "special lstrip"),
        ("<r>", "rstrip"),
        ("ÉTÉ", "normalized"),
        *SPACES,
    ),
}

SLOW: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "bert": (wordpiece, "BertNormalizer"),
    "t5": (unigram, "NFKC"),
    "llama2-metaspace": (lambda: sentencepiece(metaspace=True), "Metaspace"),
    "regex-normalizer": (lambda: byte_level(normalizer=normalizers.Replace(tokenizers.Regex(r"\s+"), " ")), "regex"),
    "byte-names": (lambda: sentencepiece(alphabet=""), "without the character"),
    "line-end": (lambda: byte_level(r"\s+$"), r"\\s+$"),
    "single-word": (lambda: with_added(byte_level(), ("wordy", "single_word")), "whole words"),
    "overlap": (lambda: with_added(byte_level(), (" '", "normalized"), ("'s", "")), "overlap"),
    "strip": (lambda: with_added(byte_level(), ("<mask>", "special lstrip"), *SPACES), "overlap"),
}


ADDED = ["<|endoftext|>", "<|padding|>", "|||EMAIL_ADDRESS|||", "<|eot_id|>", "<tool_call>", "<mask>", "<r>", "ÉTÉ", "<s>", "</s>"]
FRAGMENTS = st.one_of(
    st.sampled_from(ADDED),
    st.sampled_from(ADDED).flatmap(lambda token: st.integers(0, len(token)).map(lambda end: token[:end])),
    st.sampled_from(
        ["'s", "'S", "'ſ", "'ſer", "'ll", "'VE", " the", " Language", "été", "e\u0301", "É", "ﬁ", "İ", "한", "\u180e", "K"]
    ),
    st.sampled_from(
        [" ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\u0085", "\x00", "\ufeff", "a", "0", ".", "é", "中", "▁"]
    ).flatmap(lambda c: st.integers(1, 12).map(lambda n: c * n)),
    st.integers(0, 10**9).map(str),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.text(st.characters(max_codepoint=0x7F), max_size=8),
    st.sampled_from(TEXTS),
)
DOCUMENTS = st.lists(st.lists(FRAGMENTS, max_size=8).map("".join), max_size=12)
