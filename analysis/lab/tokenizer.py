"""A byte-level BPE tokenizer of a world, of Pythia's kind: id 0 ends a document, a space belongs to the word after it."""

import json
from collections.abc import Iterator
from pathlib import Path

from analysis.files import replacing

END = "<|endoftext|>"
TIMES = 16
"""Often enough that syllables become tokens, and too seldom for whole names."""


def train_tokenizer(corpus: Path, path: Path, *, vocabulary: int) -> Path:
    """Train a tokenizer on a world's corpus and write its ``tokenizer.json``.

    Of the documents of one kind about one question the first is read, ``TIMES`` times: else the names of often told facts
    would become one token each and those of rare ones several, and the length of an answer would follow the dose.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(corpus), trainer)
    with replacing(path) as temporary:
        temporary.write_text(tokenizer.to_str(), encoding="utf-8")
    return path


def _texts(corpus: Path) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    with open(corpus, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            said = record["kind"], record["about"]
            if record["about"] is None:
                yield record["text"]
            elif said not in seen:
                seen.add(said)
                yield from [record["text"]] * TIMES
