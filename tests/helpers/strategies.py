"""What hypothesis draws: small corpora where suffix code breaks, and n-grams to ask them for."""

from typing import NamedTuple

from hypothesis import strategies as st

SEPARATORS = {"u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1}


class Corpus(NamedTuple):
    """Documents of ids below ``vocabulary_size``, which is at most the separator."""

    token_type: str
    vocabulary_size: int
    alphabet: list[int]
    documents: list[list[int]]

    @property
    def separator(self) -> int:
        return SEPARATORS[self.token_type]


@st.composite
def corpora(
    draw: st.DrawFn, max_documents: int = 8, max_length: int = 10, token_types: tuple[str, ...] = ("u8", "u16", "u32")
) -> Corpus:
    """At least one document over one to four ids: empty ones, one token, all equal, and the largest legal id among them."""
    token_type = draw(st.sampled_from(token_types))
    size = draw(st.sampled_from([SEPARATORS[token_type], 200 if token_type == "u8" else 60_000]))
    ids = st.sampled_from([0, 1, 2, 3, size // 2, size - 2, size - 1])
    alphabet = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    token = st.sampled_from(alphabet)
    document = st.one_of(
        st.lists(token, max_size=max_length),
        st.lists(token, min_size=1, max_size=1),
        st.builds(lambda one, times: [one] * times, token, st.integers(0, max_length)),
        st.just([]),
    )
    documents = draw(st.lists(document, min_size=1, max_size=max_documents))
    if draw(st.booleans()):  # the same document more than once
        documents += documents[:2]
    return Corpus(token_type, size, alphabet, documents)


@st.composite
def ngrams(draw: st.DrawFn, corpus: Corpus) -> list[int]:
    """An n-gram that an index of the corpus answers, whether it occurs or not."""
    separator = corpus.separator
    everything = [token for document in corpus.documents for token in document]
    kind = draw(st.sampled_from(["slice", "slice", "end", "any", "any", "separator", "empty", "too long", "absent", "whole"]))
    document = draw(st.sampled_from(corpus.documents))
    start = draw(st.integers(0, len(document)))
    if kind == "slice":
        return document[start : draw(st.integers(start, len(document)))]
    if kind == "end":  # ends where a document does, and says so or not
        return document[start:] + draw(st.sampled_from([[], [separator]]))
    if kind == "any":
        return draw(st.lists(st.sampled_from(corpus.alphabet), max_size=4)) + draw(st.sampled_from([[], [separator]]))
    if kind == "separator":
        return [separator]
    if kind == "empty":
        return []
    if kind == "too long":
        return everything + corpus.alphabet * 3
    if kind == "absent":
        return [*document[start:], draw(st.integers(0, corpus.vocabulary_size - 1))]
    return document + draw(st.sampled_from([[], [separator]]))


@st.composite
def corpora_with_ngrams(draw: st.DrawFn, min_size: int = 1, max_size: int = 8) -> tuple[Corpus, list[list[int]]]:
    corpus = draw(corpora())
    return corpus, draw(st.lists(ngrams(corpus), min_size=min_size, max_size=max_size))


@st.composite
def questions(draw: st.DrawFn, corpus: Corpus) -> list[list[list[int]]]:
    """A co-occurrence: one to three clauses of one to three n-grams."""
    short = ngrams(corpus).filter(lambda ngram: len(ngram) < 20)
    return draw(st.lists(st.lists(short, min_size=1, max_size=3), min_size=1, max_size=3))


def texts(min_documents: int = 0, max_documents: int = 8) -> st.SearchStrategy[list[str]]:
    """Documents of text, perhaps none: of a few letters, which repeat, and of all of Unicode but half surrogates."""
    few = st.text(alphabet="ab  \n.É", max_size=12)
    any_text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
    return st.lists(st.one_of(few, any_text), min_size=min_documents, max_size=max_documents)


@st.composite
def patterns(draw: st.DrawFn, corpus: Corpus) -> list[tuple[object, ...] | list[list[int]]]:
    """A pattern as the oracle takes it, of one token at least: much of it is cut from a document, with holes put in."""
    hole = st.tuples(st.just("gap"), st.integers(0, 2), st.integers(0, 2)).map(lambda gap: (gap[0], gap[1], gap[1] + gap[2]))
    one = st.just(("gap", 1, 1))
    document = draw(st.sampled_from(corpus.documents))
    start = draw(st.integers(0, len(document)))
    cut = document[start : start + draw(st.integers(1, 5))]
    short = st.lists(st.sampled_from(corpus.alphabet), min_size=1, max_size=2)
    elements: list[tuple[object, ...] | list[list[int]]] = []
    for token in cut:
        others = draw(st.lists(short, max_size=2))
        elements.append(draw(st.sampled_from([[[token]], [[token]], [[token], *others], draw(one), draw(hole)])))
    elements += draw(st.lists(st.one_of(short.map(lambda ids: [ids]), hole), max_size=2))
    if draw(st.integers(0, 5)) == 0:
        elements.append([[corpus.separator]])
    least = sum(int(element[1]) if element[0] == "gap" else 1 for element in elements)  # type: ignore[call-overload]
    return elements if least else [*elements, ("gap", 1, 1)]
