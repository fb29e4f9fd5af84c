"""The tests of the index itself, through a server: the same questions, held against the same oracle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.helpers import building
from tests.helpers.serving import LiveServer
from tests.suffixindex import test_index
from tests.suffixindex.queries import test_groups, test_matching, test_patterns, test_queries, test_statistics

PROFILE = "through a server"
"""Fewer examples: the questions are tried out elsewhere, here it is the way there and back."""
settings.register_profile(PROFILE, settings.default, max_examples=max(2, settings.default.max_examples // 40))
THROUGH = {
    test_queries: [
        "test_counts",
        "test_next_tokens",
        "test_documents_are_ten_unless_asked_for_more",
        "test_documents_say_where_they_came_from",
        "test_cooccurrence_of_single_ngrams_and_aliases",
        "test_documents_that_hold_something_restrict_any_question",
    ],
    test_patterns: ["test_patterns", "test_patterns_beside_ngrams"],
    test_groups: ["test_conditions", "test_bad_fields_are_a_sentence"],
    test_matching: ["test_what_is_no_text_is_refused"],
    test_statistics: ["test_top_ngrams", "test_what_cannot_be_counted_is_refused_with_a_sentence"],
    test_index: [
        "test_many_kinds_of_ids_are_one_ngram",
        "test_the_empty_ngram_occurs_at_every_token",
        "test_rows_of_a_two_dimensional_array_are_ngrams",
        "test_what_is_no_ngram_is_refused",
        "test_a_separator_may_only_end_an_ngram",
        "test_a_bad_ngram_of_a_batch_is_named",
        "test_a_question_without_an_answer_is_refused",
    ],
}
blocks = test_statistics.blocks
"""A fixture of some of these tests."""

for _module, _names in THROUGH.items():
    for _name in _names:
        globals()[_name] = getattr(_module, _name)


@pytest.fixture(autouse=True)
def through_the_server(monkeypatch: pytest.MonkeyPatch, server: LiveServer) -> Iterator[None]:
    """What a test writes as an index, it asks over HTTP."""
    write_index = building.write_index
    monkeypatch.setattr(building, "write_index", lambda *said, **more: server.connect(write_index(*said, **more)))
    before = settings.get_current_profile_name()
    settings.load_profile(PROFILE)
    yield
    settings.load_profile(before)


@pytest.fixture
def small(tmp_path: Path) -> Any:
    """As that of the tests of the index."""
    documents = [[1, 2, 3], [1, 2], [], [2, 1, 2]]
    return building.write_index(tmp_path / "index", documents, vocabulary_size=100, shards=2)
