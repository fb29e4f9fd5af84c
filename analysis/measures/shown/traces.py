"""Where the words of an answer stand in the corpus: its longest spans that some document holds (OLMoTrace, arXiv 2504.07096)."""

from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

import suffixindex as si
from analysis.errors import ConfigError
from analysis.ngrams import word_spans
from analysis.pairs.word_index import WordIds
from analysis.schemas import TRACES
from analysis.tables import table_of

AROUND = 8
"""Words of a document on either side of a span."""
OF_ANSWER = ("example_id", "task", "subset", "model", "revision", "num_parameters", "step", "output")
DOCUMENTS = 2
"""That are shown of each span."""


def traces(answers: pa.Table, index: si.SuffixIndex, *, spans: int, least_words: int) -> pa.Table:
    """The longest spans of each answer that the corpus holds, and documents that hold them.

    A span is a run of words that some document holds, and that no longer such run of the answer includes. Of equally long ones
    the rarest come first, for they say most about where the answer may be from.

    Parameters
    ----------
    answers
        A table SHOWN_ANSWERS. An answer that stands there with several metrics is traced once.
    index
        Of ``words``.
    spans
        Of each answer.
    least_words
        Of a span: short ones are in every corpus.

    Returns
    -------
    pa.Table
        TRACES, a row for each span and document; answers without a span of so many words have none.

    Raises
    ------
    ConfigError
        A number is below 1, or the index is of other tokens.

    Notes
    -----
    About 2 µs a word, and 10 ns an occurrence of each span that is shown.
    """
    if min(spans, least_words) < 1:
        raise ConfigError(f"{spans} spans of at least {least_words} words: expected 1 or more of each")
    words = WordIds(index)
    rows: list[dict[str, Any]] = []
    known: set[tuple[str, str, str]] = set()
    for answer in tqdm(answers.to_pylist(), desc="traces", unit=" answers", disable=None):
        key = (answer["model"], answer["revision"], answer["example_id"])
        output = word_spans(answer["output"])
        if key in known or len(output.words) < least_words:
            continue
        known.add(key)
        ids = np.array(words.ids(output.words), np.int64)
        found = index.spans(ids, min_length=least_words, limit=DOCUMENTS)
        about = {
            name: answer[name] for name in ("example_id", "task", "subset", "model", "revision", "num_parameters", "step", "output")
        }
        for span in sorted(found, key=lambda span: (span.start - span.stop, span.count))[:spans]:
            told = {"start": output.starts[span.start], "stop": output.stops[span.stop - 1], "num_words": span.stop - span.start}
            told |= {"occurrences": span.count}
            for match in span.documents:
                text, first = index.document(match.document_id).token_ids, int(match.offsets[0])
                last = first + span.stop - span.start
                around = {
                    "left": index.decode(text[max(first - AROUND, 0) : first]),
                    "right": index.decode(text[last : last + AROUND]),
                }
                where = {
                    "document_id": match.document_id,
                    "path": match.path or "",
                    "line": -1 if match.line is None else match.line,
                }
                rows.append(about | told | where | around)
    return table_of(rows, TRACES)
