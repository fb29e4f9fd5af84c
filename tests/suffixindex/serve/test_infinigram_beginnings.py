"""infini-gram's API asked with a separator in front: what documents begin with, against brute force."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.helpers import building
from tests.helpers.serving import LiveServer
from tests.helpers.strategies import corpora

FEWER = max(3, settings.default.max_examples // 10)


@settings(max_examples=FEWER)
@given(st.data(), st.sampled_from([1, 2, 3]))
def test_a_separator_in_front_asks_what_documents_begin_with(
    new_folder: Callable[[], Path], live: LiveServer, data: st.DataObject, shards: int
) -> None:
    corpus = data.draw(corpora(token_types=("u8", "u16")).filter(lambda one: one.documents))
    documents, separator = corpus.documents, corpus.separator
    index = building.write_index(new_folder(), documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards)
    name = live.connect(index).name
    ended = [[*document, separator] for document in documents]
    begun = data.draw(
        st.sampled_from(ended).flatmap(lambda one: st.integers(0, min(len(one) - 1, 400)).map(lambda stop: one[:stop]))
    )
    rest = data.draw(st.sampled_from([begun, begun[1:], [*begun[:-1], corpus.vocabulary_size - 1]]))

    def beginning(tokens: list[int]) -> list[list[int]]:
        return [document for document in ended if document[: len(tokens)] == tokens]

    def ask_for(kind: str, tokens: list[int], **more: Any) -> Any:
        ids = [65535, *(65535 if token == separator else token for token in tokens)]
        return live.ask("/", {"index": name, "query_type": kind, "query_ids": ids, **more}).json

    found = beginning(rest)
    assert (ask_for("count", rest)["count"], ask_for("count", rest)["approx"]) == (len(found), False)
    following = Counter(document[len(rest)] for document in found)
    told = {int(token): one["cont_cnt"] for token, one in ask_for("ntd", rest)["result_by_token_id"].items()}
    assert told == {65535 if token == separator else token: number for token, number in following.items()}
    for token in [*following, corpus.vocabulary_size - 1][:3]:
        prob = ask_for("prob", [*rest, token])
        assert (prob["prompt_cnt"], prob["cont_cnt"]) == (len(found), following[token])
    longest = ask_for("infgram_ntd", rest)
    if found:
        assert (longest["suffix_len"], longest["prompt_cnt"]) == (1 + len(rest), len(found))
    else:
        suffixes = [rest[start:] for start in range(len(rest) + 1)]
        assert longest["suffix_len"] == len(next(one for one in suffixes if not one or oracle.count(documents, one, separator)))
    drawn = ask_for("search_docs", rest, maxnum=3) if rest else {"cnt": len(found), "documents": []}
    assert drawn["cnt"] == len(found)
    for document in drawn["documents"]:
        assert (document["needle_offset"], [*document["token_ids"], separator][: len(rest)]) == (0, rest[: document["disp_len"]])
    if rest:
        assert "no ranks of their own" in ask_for("find", rest)["error"]
    assert "nothing follows" in ask_for("ntd", [*rest, separator])["error"]
