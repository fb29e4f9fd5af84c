"""Tiny models and tables for the tests of ``analysis``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analysis.schemas import EXAMPLES, PAIRS
from analysis.tables import table_of

TRAINED_ON = [
    "Question: What is the capital of France?\nAnswer: Paris",
    "the cat sat on the mat, and the other cat sat on the other mat",
    "12 + 30 = 42, isn't it? It's the answer.",
]


def tiny_tokenizer(text: Sequence[str] = TRAINED_ON, size: int = 330) -> Any:
    """A byte-level tokenizer as GPT-NeoX's, so small that only the commonest words are one token."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.normalizer = tokenizers.normalizers.NFC()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = tokenizers.processors.ByteLevel(trim_offsets=True)  # offsets without the leading space
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(list(text) * 9, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


def write_model(
    folder: Path, seed: int = 0, *, context: int = 128, width: int = 32, outputs: int = 384, tokenizer: Any = None
) -> Path:
    """A folder with a random GPT-NeoX model, whose vocabulary is padded, and its tokenizer."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    config = transformers.GPTNeoXConfig(
        vocab_size=outputs,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=context,
        initializer_range=0.4,  # so that its probabilities are far from uniform
    )
    transformers.GPTNeoXForCausalLM(config).save_pretrained(folder)
    (tokenizer or tiny_tokenizer()).save_pretrained(folder)
    return folder


def examples_table(*rows: dict[str, Any]) -> pa.Table:
    """EXAMPLES; what a row leaves out is empty, its id its number, its prompt its input."""
    defaults = {"task": "task", "subset": "", "input": "", "aliases": [], "choices": []}
    filled = [{**defaults, "example_id": str(number), **row} for number, row in enumerate(rows)]
    return table_of([{"prompt": row["input"], **row} for row in filled], EXAMPLES)


def pairs_table(examples: pa.Table, *pairs: tuple[str, str, str]) -> pa.Table:
    """PAIRS of (example id, x, y), each found at its first place in input and target."""
    texts = {row["example_id"]: row for row in examples.to_pylist()}
    rows = []
    for number, (name, x, y) in enumerate(pairs):
        row = texts[name]
        x_start, y_start = row["input"].lower().index(x), row["target"].lower().index(y)
        places = {"x_start": x_start, "x_stop": x_start + len(x), "y_start": y_start, "y_stop": y_start + len(y)}
        names = {"example_id": name, "task": row["task"], "subset": row["subset"], "n": len(y.split()), "x": x, "y": y}
        rows.append({"row": number, **names, **places, "similarity": 1.0})
    return table_of(rows, PAIRS)
