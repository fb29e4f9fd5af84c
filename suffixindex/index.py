"""SuffixIndex: the one class to ask with. Fans a question out over the shards and merges their exact answers."""

from suffixindex.queries.corpus import CorpusQueries


class SuffixIndex(CorpusQueries):
    """An index on disk, opened for questions.

    Immutable and safe to share between threads; pickles by its path; a context manager. An n-gram is text, which the
    index's tokenizer encodes without special tokens, or a sequence of ids. Counts are exact at any frequency and do not
    depend on the number of shards.

    Examples
    --------
    >>> import suffixindex as si
    >>> index = si.open("my-index")                                # doctest: +SKIP
    >>> index.count(" natural language processing")                # doctest: +SKIP
    1204
    """
