"""infini-gram's query types, each answered as its API does it, exactly."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex
from suffixindex.serve import pricing
from suffixindex.serve.compat import beginnings, cnf
from suffixindex.serve.compat.requests import Cnf, Query, WrongError, most_id, option
from suffixindex.serve.compat.terms import Terms
from suffixindex.serve.marking import mark
from suffixindex.serve.table import Served
from suffixindex.storage.shard import Shard

Answer = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One question: the index, the query, the other fields, how often to look whether it is to go on, and what it may cost."""

    served: Served
    query: Query
    data: Mapping[str, Any]
    check: Callable[[], None]
    budget: float

    @property
    def index(self) -> SuffixIndex:
        return self.served.index

    def option(self, name: str) -> int:
        return option(self.query, self.data, name)

    def most(self) -> int:
        """The largest id that a query may hold, which errors name."""
        return most_id(self.index)


def num_positions(index: SuffixIndex) -> int:
    """Tokens and separators: what the empty query counts."""
    return index.num_tokens + index.num_documents


def count_plain(asked: Asked, ids: NDArray[np.int64]) -> int:
    if beginnings.leads(asked.index, ids):
        return sum(map(len, beginnings.beginnings(asked.index, ids[1:], asked.check)))
    return asked.index.count(ids) if len(ids) else num_positions(asked.index)


# ---- counts ------------------------------------------------------------------------------------------------------


def count(asked: Asked) -> Answer:
    if isinstance(asked.query.asked, Cnf):
        return count_cnf(asked)
    return {"approx": False, "count": count_plain(asked, asked.query.plain(""))}


def count_cnf(asked: Asked) -> Answer:
    clauses = asked.query.cnf()
    max_freq, max_diff = asked.option("max_clause_freq"), asked.option("max_diff_tokens")
    if len(clauses) == 1:
        found = cnf.Found(sum(cnf.occurrences(asked.index, clauses)), [], False)
    else:
        found = _find(asked, clauses, max_freq, max_diff)
    return {"approx": found.approx, "count": found.count, **_documents(asked, clauses)}


def _documents(asked: Asked, clauses: list[list[NDArray[np.int64]]]) -> Answer:
    """How many documents hold all clauses, if that can be told in time."""
    if asked.served.pricing.together(clauses, None) > asked.budget:
        return {}
    return {"document_count": asked.index.cooccurrence(*clauses)}


def _find(asked: Asked, clauses: list[list[NDArray[np.int64]]], max_freq: int, max_diff: int) -> cnf.Found:
    if price_of_all(asked.index, clauses) <= asked.budget:
        return cnf.find(asked.index, clauses, max_diff, asked.check)
    found = cnf.estimate(asked.index, clauses, max_diff, max_freq, asked.check)
    sampled = min(max_freq, cnf.SAMPLED)
    asked.query.warnings.append(
        f"all would take too long: the count is estimated from {sampled:,} occurrences of the rarest clause"
    )
    return found


def price_of_all(index: SuffixIndex, clauses: list[list[NDArray[np.int64]]]) -> float:
    return pricing.CALL + pricing.SORT * sum(cnf.occurrences(index, clauses))


def find(asked: Asked) -> Answer:
    ids = asked.query.plain(f"input_ids must be a list of integers in range [0, {asked.most()}]")
    if beginnings.leads(asked.index, ids):
        raise asked.query.wrong(
            "documents that begin alike have no ranks of their own in this index, whose separators end documents: ask count, prob, "
            "ntd, infgram_prob, infgram_ntd or search_docs with the separator in front"
        )
    segments = [segment(shard, ids) for shard in asked.index.shards]
    return {"cnt": sum(high - low for low, high in segments), "segment_by_shard": [list(one) for one in segments]}


def segment(shard: Shard, ids: NDArray[np.int64]) -> tuple[int, int]:
    """Ranks of an n-gram; of the empty one all, those of separators included."""
    low, high = shard.interval(ids) if len(ids) else (0, shard.length)
    return int(low), int(high)


def find_cnf(asked: Asked) -> Answer:
    clauses = asked.query.cnf()
    found = _find(asked, clauses, asked.option("max_clause_freq"), asked.option("max_diff_tokens"))
    pointers = [
        Layout(asked.index, shard).pointers(starts).tolist() for shard, starts in zip(asked.index.shards, found.starts, strict=True)
    ]
    return {"approx": found.approx, "cnt": found.count, "ptrs_by_shard": pointers}


class Layout:
    """Positions of a shard as infini-gram's files number them: bytes, and a separator before each document, not after it."""

    def __init__(self, index: SuffixIndex, shard: Shard) -> None:
        self.width, self.length = int(index.dtype.itemsize), shard.length

    def pointers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return (positions + 1) % self.length * self.width

    def position(self, pointer: int) -> int:
        return (pointer // self.width - 1) % self.length


# ---- what follows ------------------------------------------------------------------------------------------------


def _split(asked: Asked) -> tuple[NDArray[np.int64], int]:
    """A prompt and the token after it."""
    ids = asked.query.plain(f"prompt_ids must be a non-empty list of integers in range [0, {asked.most()}]")
    if not len(ids):
        raise asked.query.wrong("Please provide a non-empty query!")
    return ids[:-1], int(ids[-1])


def _prob(asked: Asked, prompt: NDArray[np.int64], token: int) -> Answer:
    prompt_count = count_plain(asked, prompt)
    together = count_plain(asked, np.append(prompt, token)) if prompt_count else 0
    return {"prompt_cnt": prompt_count, "cont_cnt": together, "prob": together / prompt_count if prompt_count else -1.0}


def prob(asked: Asked) -> Answer:
    return _prob(asked, *_split(asked))


def _prompt(asked: Asked) -> NDArray[np.int64]:
    ids = asked.query.plain(f"prompt_ids must be a list of integers in range [0, {asked.most()}]")
    asked.option("max_support")
    return ids


def _following(asked: Asked, prompt: NDArray[np.int64]) -> dict[int, int]:
    """How often each token, or the separator, follows a prompt."""
    index = asked.index
    if len(prompt) and int(prompt[0]) == index.separator:
        return dict(beginnings.following(index, prompt[1:], asked.check))
    following = index.next_distribution(prompt)
    return dict(zip(following.token_ids.tolist(), following.counts.tolist(), strict=True))


def _ntd(asked: Asked, prompt: NDArray[np.int64]) -> Answer:
    index, counts = asked.index, _following(asked, prompt)
    ends = counts.pop(index.separator, 0) if len(prompt) else index.num_documents
    total, terms = count_plain(asked, prompt), Terms(index)
    if ends:
        counts[terms.end] = counts.get(terms.end, 0) + ends
    tokens = dict(zip(counts, terms.tokens(list(counts)), strict=True))
    result = {
        token: {"cont_cnt": number, "prob": number / total, "token": tokens[token].replace("Ġ", " ")}
        for token, number in sorted(counts.items())
    }
    return {"prompt_cnt": total, "approx": False, "result_by_token_id": result}


def ntd(asked: Asked) -> Answer:
    return _ntd(asked, _prompt(asked))


def _suffix(asked: Asked, prompt: NDArray[np.int64]) -> tuple[NDArray[np.int64], Answer]:
    """The longest end of a prompt that occurs, and how it is told."""
    if len(prompt) and int(prompt[0]) == asked.index.separator:
        if count_plain(asked, prompt):
            return prompt, {"suffix_len": len(prompt), "longest_suffix": asked.index.decode(prompt)}
        prompt = prompt[1:]
    length = asked.index.suffix_length(prompt)
    suffix = prompt[len(prompt) - length :]
    return suffix, {"suffix_len": length, "longest_suffix": asked.index.decode(suffix)}


def infgram_prob(asked: Asked) -> Answer:
    prompt, token = _split(asked)
    suffix, told = _suffix(asked, prompt)
    return {**_prob(asked, suffix, token), **told}


def infgram_ntd(asked: Asked) -> Answer:
    suffix, told = _suffix(asked, _prompt(asked))
    return {**_ntd(asked, suffix), **told}


# ---- documents ---------------------------------------------------------------------------------------------------


def _window(asked: Asked, number: int, position: int, size: int) -> Answer:
    """The document around a position of a shard."""
    index = asked.index
    shard = index.shards[number]
    local = int(shard.documents_at(np.array([position]))[0])
    begin, end = shard.bounds(local)
    first, last = max(begin, position - size // 2), min(end, position + (size + 1) // 2)
    ids = shard.read(first, last)
    record = shard.metadata(local)
    line = {"path": record.get("path"), "linenum": record.get("line"), "metadata": record.get("metadata", {})}
    return {
        "doc_ix": local + sum(other.num_documents for other in index.shards[:number]),
        "doc_len": end - begin,
        "disp_len": last - first,
        "needle_offset": position - first,
        "metadata": json.dumps(line) + "\n" if record else "",
        "blocked": False,
        "token_ids": ids.tolist(),
        "spans": [[text, None if label is None else str(label)] for text, label in mark(index, ids, asked.query.checked())],
    }


def _shard_number(asked: Asked) -> int:
    shards, number = asked.index.shards, asked.data.get("s")
    if type(number) is not int or not 0 <= number < len(shards):
        raise asked.query.wrong(f"s must be an integer in range [0, {len(shards)})")
    return number


def _position(shard: Shard, rank: int, query: Query) -> int:
    length = max(1, len(query.asked.ids)) if not isinstance(query.asked, Cnf) else 1
    return int(shard.positions([(rank, rank + 1)], [length])[0])


def get_doc_by_rank(asked: Asked) -> Answer:
    number, size = _shard_number(asked), asked.option("max_disp_len")
    shard, rank = asked.index.shards[number], asked.data.get("rank")
    if type(rank) is not int or not 0 <= rank < shard.length:
        raise asked.query.wrong(f"rank must be an integer in range [0, {shard.length})")
    return _without_ids(_window(asked, number, _position(shard, rank, asked.query), size))


def get_doc_by_ptr(asked: Asked) -> Answer:
    number, size = _shard_number(asked), asked.option("max_disp_len")
    shard, pointer = asked.index.shards[number], asked.data.get("ptr")
    layout = Layout(asked.index, shard)
    num_bytes = shard.length * layout.width
    if type(pointer) is not int or not 0 <= pointer < num_bytes or pointer % layout.width:
        raise asked.query.wrong(f"ptr must be an integer in range [0, {num_bytes}) and a multiple of {layout.width}")
    return _without_ids(_window(asked, number, layout.position(pointer), size))


def _without_ids(document: Answer) -> Answer:
    """The answer says the query's ids under this name, so the document's are left out, as upstream."""
    return {name: value for name, value in document.items() if name != "token_ids"}


def search_docs(asked: Asked) -> Answer:
    if isinstance(asked.query.asked, Cnf):
        return search_docs_cnf(asked)
    ids, maxnum, size = asked.query.plain(""), asked.option("maxnum"), asked.option("max_disp_len")
    if beginnings.leads(asked.index, ids):
        return _drawn_of(asked, beginnings.beginnings(asked.index, ids[1:], asked.check), maxnum, size)
    segments = [segment(shard, ids) for shard in asked.index.shards]
    total = sum(high - low for low, high in segments)

    def place(drawn: int) -> tuple[int, int]:
        number = 0
        while drawn >= segments[number][1] - segments[number][0]:
            drawn -= segments[number][1] - segments[number][0]
            number += 1
        return number, _position(asked.index.shards[number], segments[number][0] + drawn, asked.query)

    return _drawn(asked, total, total, False, place, maxnum, size)


def search_docs_cnf(asked: Asked) -> Answer:
    clauses, maxnum, size = asked.query.cnf(), asked.option("maxnum"), asked.option("max_disp_len")
    found = _find(asked, clauses, asked.option("max_clause_freq"), asked.option("max_diff_tokens"))
    return _drawn_of(asked, found.starts, maxnum, size, found)


def _drawn_of(asked: Asked, starts: list[NDArray[np.int64]], maxnum: int, size: int, found: cnf.Found | None = None) -> Answer:
    """As :func:`_drawn`, of positions in each shard: all, or those that were found."""

    def place(drawn: int) -> tuple[int, int]:
        number = 0
        while drawn >= len(starts[number]):
            drawn -= len(starts[number])
            number += 1
        return number, int(starts[number][drawn])

    listed = sum(map(len, starts))
    total, approx = (listed, False) if found is None else (found.count, found.approx)
    return _drawn(asked, total, listed, approx, place, maxnum, size)


def _drawn(
    asked: Asked, total: int, listed: int, approx: bool, place: Callable[[int], tuple[int, int]], maxnum: int, size: int
) -> Answer:
    """The documents of ``maxnum`` occurrences, drawn with replacement."""
    numbers = [random.randrange(listed) for _ in range(maxnum)] if listed else []
    documents = [_window(asked, *place(number), size) for number in numbers]
    found = f"{'Approximately ' if approx else ''}{total} occurrences found"
    message = f"{found}. Displaying the documents of occurrences #{numbers}" if numbers else found
    return {"approx": approx, "cnt": total, "documents": documents, "idxs": numbers, "message": message}


ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "count": count,
    "count_cnf": count_cnf,
    "find": find,
    "find_cnf": find_cnf,
    "prob": prob,
    "ntd": ntd,
    "infgram_prob": infgram_prob,
    "infgram_ntd": infgram_ntd,
    "search_docs": search_docs,
    "search_docs_cnf": search_docs_cnf,
    "get_doc_by_rank": get_doc_by_rank,
    "get_doc_by_ptr": get_doc_by_ptr,
}


def price(asked: Asked, query_type: str) -> float:
    """What a question costs; one of clauses is estimated where it would cost more than the budget."""
    query, prices = asked.query, asked.served.pricing
    if isinstance(query.asked, Cnf) and query_type in ("count", "count_cnf", "find_cnf", "search_docs", "search_docs_cnf"):
        try:
            return min(asked.budget, price_of_all(asked.index, query.cnf()))
        except WrongError:
            return pricing.CALL
    ids = np.array([] if isinstance(query.asked, Cnf) else query.asked.ids, np.int64)
    reads = query_type in ("ntd", "infgram_ntd")
    if len(ids) > 1 - reads and int(ids[0]) == asked.index.separator:
        rest = ids[1:-1] if query_type in ("prob", "infgram_prob") else ids[1:]
        return beginnings.price(asked.index, asked.index.checker.ngram(rest), reads)
    if reads:
        return prices.following(asked.index.num_tokens) + prices.text(len(query.token_ids))
    shown = 10 if query_type == "search_docs" else 1
    return pricing.CALL + pricing.DOCUMENT * shown + prices.text(len(query.token_ids))
