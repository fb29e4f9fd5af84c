"""What every answer must be, by brute force from the definitions. Slow and obvious; imports nothing of the package.

A corpus is a list of documents, a document a list of ids. Every document is followed by one separator. The empty n-gram
occurs at every token and at no separator.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

Documents = Sequence[Sequence[int]]
Ngram = Sequence[int]


def starts(document: Sequence[int], ngram: Ngram, separator: int) -> list[int]:
    """Offsets in a document, its separator included, at which an n-gram occurs."""
    text = [*document, separator]
    if not ngram:
        return list(range(len(document)))
    return [start for start in range(len(text)) if text[start : start + len(ngram)] == list(ngram)]


def count(documents: Documents, ngram: Ngram, separator: int) -> int:
    return sum(len(starts(document, ngram, separator)) for document in documents)


def next_tokens(documents: Documents, context: Ngram, separator: int) -> dict[int, int]:
    """Continuation -> how often it follows the context; the separator where the document ends after it."""
    following: Counter[int] = Counter()
    for document in documents:
        text = [*document, separator]
        following.update(text[start + len(context)] for start in starts(document, context, separator))
    return dict(following)


def holding(documents: Documents, ngram: Ngram, separator: int) -> list[tuple[int, list[int]]]:
    """(document, offsets) of the documents that hold an n-gram."""
    found = [(number, starts(document, ngram, separator)) for number, document in enumerate(documents)]
    return [(number, offsets) for number, offsets in found if offsets]


def document_count(documents: Documents, ngram: Ngram, separator: int) -> int:
    return len(holding(documents, ngram, separator))


def together(documents: Documents, clauses: Sequence[Iterable[Ngram]], separator: int, window: int | None = None) -> list[int]:
    """The documents that hold, of every clause, one of its n-grams; with a window, some that start within it of each other."""
    found = []
    for number, document in enumerate(documents):
        places = [[start for ngram in clause for start in starts(document, ngram, separator)] for clause in clauses]
        near = all(places) if window is None else any(max(chosen) - min(chosen) <= window for chosen in product(*places))
        found += [number] * near
    return found


def cooccurrence(documents: Documents, clauses: Sequence[Iterable[Ngram]], separator: int, window: int | None = None) -> int:
    return len(together(documents, clauses, separator, window))


def concordance(
    documents: Documents, ngram: Ngram, width: int, separator: int
) -> list[tuple[int, int, list[int], list[int], list[int]]]:
    """(document, offset, left, match, right) of every occurrence, in the order of the corpus."""
    lines = []
    for number, offsets in holding(documents, ngram, separator):
        document = list(documents[number])
        for offset in offsets:
            left = document[max(0, offset - width) : offset]
            right = document[offset + len(ngram) :][:width]
            lines.append((number, offset, left, list(ngram), right))
    return lines


GAP = "gap"
"""A pattern is a list of elements: ("gap", least, most), or a list of n-grams of which any may stand there."""


def stretches(document: Sequence[int], pattern: Sequence[Any], separator: int) -> list[tuple[int, int]]:
    """The distinct (start, end) of a document, its separator included, that the elements of a pattern make up, ascending."""
    text = [*document, separator]

    def ends(start: int, elements: Sequence[Any]) -> set[int]:
        if not elements:
            return {start}
        first, *rest = elements
        if first[0] == GAP:
            after = [start + size for size in range(first[1], first[2] + 1) if start + size <= len(document)]
        else:
            after = [start + len(ngram) for ngram in first if text[start : start + len(ngram)] == list(ngram)]
        return {end for place in after for end in ends(place, rest)}

    return sorted((start, end) for start in range(len(text)) for end in ends(start, pattern))


def suffix_order(tokens: Sequence[int], separator: int) -> list[int]:
    """Positions in the order of their suffixes; comparison stops at the separator, ties go by position."""

    def suffix(position: int) -> tuple[list[int], int]:
        rest = list(tokens[position:])
        stop = rest.index(separator) + 1 if separator in rest else len(rest)
        return rest[:stop], position

    return sorted(range(len(tokens)), key=suffix)


def with_separators(documents: Documents, separator: int) -> list[int]:
    return [token for document in documents for token in [*document, separator]]


def words(text: str) -> list[str]:
    """Punctuation and symbols (categories P and S) to spaces, lower case, split at white space."""
    spaced = [" " if unicodedata.category(character).startswith(("P", "S")) else character for character in text]
    return "".join(spaced).lower().split()


def number_words(texts: Iterable[str]) -> tuple[list[str], list[list[int]]]:
    """(vocabulary, ids of each text): words numbered by first occurrence, after the reserved empty word 0."""
    vocabulary = [""]
    ids = []
    for text in texts:
        ids.append([])
        for word in words(text):
            if word not in vocabulary:
                vocabulary.append(word)
            ids[-1].append(vocabulary.index(word))
    return vocabulary, ids


def windows(documents: Documents, n: int) -> list[tuple[int, ...]]:
    """Every n-gram of every document, each as often as it occurs; none crosses a document's end."""
    return [tuple(document[i : i + n]) for document in documents for i in range(len(document) - n + 1)]


def top_ngrams(documents: Documents, n: int, k: int) -> list[tuple[tuple[int, ...], int]]:
    return sorted(Counter(windows(documents, n)).items(), key=lambda entry: (-entry[1], entry[0]))[:k]


def ngram_statistics(documents: Documents, max_n: int, max_count: int) -> tuple[list[int], list[int], list[list[int]]]:
    """For n = 1 … max_n: n-grams, distinct ones, and how many of these occur exactly 1 … max_count times."""
    counts = [Counter(windows(documents, n)) for n in range(1, max_n + 1)]
    exactly = [[sum(number == c for number in count.values()) for c in range(1, max_count + 1)] for count in counts]
    return [sum(count.values()) for count in counts], [len(count) for count in counts], exactly


def novel(documents: Documents, text: Sequence[int], max_n: int) -> list[tuple[int, int]]:
    """For n = 1 … max_n: n-grams of a text, and those that no document holds."""
    curve = []
    for n in range(1, max_n + 1):
        known = set(windows(documents, n))
        own = windows([text], n)
        curve.append((len(own), sum(ngram not in known for ngram in own)))
    return curve


def repeated_passages(documents: Documents, min_length: int) -> dict[tuple[int, ...], list[int]]:
    """Maximal repeats of at least min_length tokens -> the document of each occurrence.

    Maximal: not all occurrences have the same token before them, nor the same after; None stands for a document's start and
    end, and no two occurrences have those in common.
    """
    passages = {}
    for n in range(max(min_length, 1), max(map(len, documents)) + 1):
        for passage in set(windows(documents, n)):
            places = [(d, i) for d, document in enumerate(documents) for i in starts(document, passage, -1)]
            before = {documents[d][i - 1] if i else None for d, i in places}
            after = {documents[d][i + n] if i + n < len(documents[d]) else None for d, i in places}
            if len(places) > 1 and all(len(side) > 1 or None in side for side in (before, after)):
                passages[passage] = [d for d, _ in places]
    return passages


def repeated_tokens(documents: Documents, min_length: int) -> int:
    """Tokens that lie in a window of min_length tokens which occurs at least twice."""
    counts = Counter(windows(documents, min_length))
    total = 0
    for document in documents:
        inside = set()
        for i in range(len(document) - min_length + 1):
            if counts[tuple(document[i : i + min_length])] > 1:
                inside.update(range(i, i + min_length))
        total += len(inside)
    return total


def field_value(record: dict[str, Any], field: str) -> Any:
    """The value at a key; else at the dotted path, the longest first key that leads to one going first; else None."""
    if field in record:
        return record[field]
    names = field.split(".")
    for length in range(len(names) - 1, 0, -1):
        inner = record.get(".".join(names[:length]))
        value = field_value(inner, ".".join(names[length:])) if isinstance(inner, dict) else None
        if value is not None:
            return value
    return None


def counts_by(documents: Documents, ngram: Ngram, values: Sequence[Any], separator: int, unit: str) -> dict[Any, int]:
    """Value of the documents -> occurrences in documents of that value, or how many of these hold the n-gram."""
    counts: dict[Any, int] = {}
    for number, offsets in holding(documents, ngram, separator):
        counts[values[number]] = counts.get(values[number], 0) + (len(offsets) if unit == "occurrences" else 1)
    return counts


def union(documents: Documents, ngrams: Iterable[Ngram], separator: int) -> tuple[int, int]:
    """Occurrences of any of several distinct n-grams that hold no other one's occurrence; documents that hold any."""
    occurrences = total = 0
    for document in documents:
        found = [(start, start + len(ngram)) for ngram in ngrams for start in starts(document, ngram, separator)]
        held = [one for one in found if any(other != one and one[0] <= other[0] and other[1] <= one[1] for other in found)]
        occurrences += len(found) - len(held)
        total += bool(found)
    return occurrences, total


def longest_matches(documents: Documents, text: Sequence[int]) -> list[tuple[int, int]]:
    """(tokens, occurrences) of the longest part of the corpus that begins at each position of a text; (0, 0) for none."""
    found = []
    for start in range(len(text)):
        longest = (0, 0)
        for stop in range(start + 1, len(text) + 1):
            occurrences = count(documents, text[start:stop], -1)
            if occurrences:
                longest = (stop - start, occurrences)
        found.append(longest)
    return found


def infgram(documents: Documents, context: Sequence[int], token: int, separator: int) -> tuple[int, int, int]:
    """(length, occurrences, occurrences followed by the token) of the longest end of the context that occurs."""
    for start in range(len(context) + 1):
        occurrences = count(documents, context[start:], separator)
        if occurrences or start == len(context):
            return len(context) - start, occurrences, count(documents, [*context[start:], token], separator)
    raise AssertionError


def maximal_spans(documents: Documents, text: Sequence[int]) -> list[tuple[int, int]]:
    """Parts of a text that occur, and lie in no longer part that does."""
    parts = [(a, b) for a in range(len(text)) for b in range(a + 1, len(text) + 1) if count(documents, text[a:b], -1)]
    return [(a, b) for a, b in parts if not any((c <= a and b <= d) and (c, d) != (a, b) for c, d in parts)]


# ---- language models ---------------------------------------------------------------------------------------------
# None stands for what is before a document's first token.


def occurrences_with_left(documents: Documents, ngram: Ngram, separator: int) -> list[int | None]:
    """The token before each occurrence of an n-gram of one token or more, which may end with the separator."""
    found: list[int | None] = []
    for document in documents:
        text = [*document, separator]
        found += [text[i - 1] if i else None for i in range(len(text)) if text[i : i + len(ngram)] == list(ngram)]
    return found


def kneser_ney_counts(documents: Documents, n: int, order: int, separator: int) -> dict[tuple[int, ...], int]:
    """Every n-gram -> its occurrences if n is the order, else the number of different tokens before it."""
    texts = [[*document, separator] for document in documents]
    ngrams = {ngram for text in texts for ngram in windows([text], n)}
    left = {ngram: occurrences_with_left(documents, ngram, separator) for ngram in ngrams}
    return {ngram: len(before) if n == order else len(set(before)) for ngram, before in left.items()}


def kneser_ney_discounts(counts: Sequence[int]) -> list[float]:
    """Discounts of counts 0, 1, 2, 3 and more."""
    n = [0, *(sum(c == i for c in counts) for i in (1, 2, 3, 4))]
    if n[1] and n[2] and n[3]:
        y = n[1] / (n[1] + 2 * n[2])
        found = [0.0, *(i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3))]
        if all(0 < found[i] <= i for i in (1, 2, 3)):
            return found
    return [0.0, 0.5, 1.0, 1.5]


def kneser_ney(documents: Documents, order: int, outcomes: Sequence[int], separator: int, context: Ngram) -> list[float]:
    """The probability of each outcome after a context, the separator among the outcomes, by the recursion as it is written."""
    probs = [1 / len(outcomes)] * len(outcomes)
    for n in range(1, min(order, len(context) + 1) + 1):
        counts = kneser_ney_counts(documents, n, order, separator)
        discount = kneser_ney_discounts(list(counts.values()))
        history = tuple(context[len(context) - n + 1 :])
        after = [counts.get((*history, token), 0) for token in outcomes]
        if not sum(after):
            break
        left = sum(discount[min(c, 3)] for c in after)
        probs = [(c - discount[min(c, 3)] + left * p) / sum(after) for c, p in zip(after, probs, strict=True)]
    return probs


def infgram_probs(documents: Documents, outcomes: Sequence[int], separator: int, context: Ngram) -> list[float]:
    """What follows the longest suffix of the context that occurs."""
    suffixes = [list(context[start:]) for start in range(len(context) + 1)]
    longest = next(suffix for suffix in suffixes if count(documents, suffix, separator))
    following = next_tokens(documents, longest, separator)
    return [following.get(token, 0) / sum(following.values()) for token in outcomes]


def stupid_backoff(documents: Documents, order: int, alpha: float, separator: int, context: Ngram, token: int) -> float:
    history = list(context[-(order - 1) :]) if order > 1 else []
    if not history:
        return count(documents, [token], separator) / len(with_separators(documents, separator))
    together = count(documents, [*history, token], separator)
    if together:
        return together / count(documents, history, separator)
    return alpha * stupid_backoff(documents, order, alpha, separator, history[1:], token)
