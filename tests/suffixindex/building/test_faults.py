"""Faults that other engines have, each on the smallest corpus that shows it: the answers here are those of a brute-force count."""

from pathlib import Path

import numpy as np

from tests import oracle
from tests.helpers import building

END_OF_TEXT = 0  # GPT-NeoX's and Pythia's


def test_a_larger_window_never_finds_less_and_documents_are_counted_not_occurrences(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    documents = [generator.choice(12, generator.integers(20, 400)).tolist() for _ in range(60)]
    index = building.write_index(tmp_path / "index", documents, shards=3)
    pair = [[1, 2]], [[3, 4]]
    separator = index.separator
    found = [index.cooccurrence([1, 2], [3, 4], window=window) for window in (10, 100, 1000)]
    assert found == [oracle.cooccurrence(documents, pair, separator, window) for window in (10, 100, 1000)]
    assert found == sorted(found)
    assert index.cooccurrence([1, 2], [3, 4]) == oracle.cooccurrence(documents, pair, separator) <= 60 < index.count([1, 2])


def test_a_tokenizers_end_of_text_inside_documents_is_a_token_like_any_other(tmp_path: Path) -> None:
    documents = [[5, 6, END_OF_TEXT, 5, 7], [5, 6, 5, 6], [END_OF_TEXT, 5]]
    index = building.write_index(tmp_path / "index", documents)
    for context in ([5], [6], [END_OF_TEXT], [5, 6]):
        found = index.next_distribution(context)
        expected = oracle.next_tokens(documents, context, index.separator)
        assert dict(zip(found.token_ids.tolist(), found.counts.tolist(), strict=True)) == expected
    assert index.next_distribution([6]).top(3)[0].prob < 1


def test_no_continuation_is_lost_however_frequent_the_context(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    following = np.concatenate([np.arange(2, 703), generator.integers(2, 703, 4000)])
    documents = [[1, int(token)] for token in generator.permutation(following)]
    index = building.write_index(tmp_path / "index", documents, shards=2)
    found = index.next_distribution([1])
    assert found.context_count == 4701 and len(found.token_ids) == 701
    assert dict(zip(found.token_ids.tolist(), found.counts.tolist(), strict=True)) == oracle.next_tokens(
        documents, [1], index.separator
    )


def test_document_lists_repeat_no_document(tmp_path: Path) -> None:
    documents = [[1, 1, 1, 1], [2], [1, 2, 1]]
    index = building.write_index(tmp_path / "index", documents)
    assert [match.document_id for match in index.documents([1], limit=None)] == [0, 2]
    assert index.document_count([1]) == 2 and index.count([1]) == 6
