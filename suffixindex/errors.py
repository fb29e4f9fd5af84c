"""What goes wrong, in one tree: each error also derives from the builtin that one would guess.

A message says what was found, what was expected and what to do; the command line prints it as one sentence.
"""


class SuffixIndexError(Exception):
    """Base of every error that this package raises on purpose."""


class FormatError(SuffixIndexError, ValueError):
    """What is on disk is not an index that this version reads: damaged, too new, or something else."""


class UnfinishedIndexError(FormatError):
    """The folder holds a build that was interrupted; the same build command goes on with it."""


class NoIndexError(SuffixIndexError, FileNotFoundError):
    """Nothing at this path, or a folder that is no index."""


class CorpusError(SuffixIndexError, ValueError):
    """The corpus cannot be read as asked: a malformed record, a missing field, nothing to index."""


class TokenizerError(SuffixIndexError, ValueError):
    """A tokenizer is unknown, unreadable, or encodes otherwise than it should."""


class BuildError(SuffixIndexError, RuntimeError):
    """A build cannot start or go on; what is finished on disk is kept."""


class ClusterError(SuffixIndexError, RuntimeError):
    """A Dask cluster cannot be reached, or went away."""


class ServerError(SuffixIndexError, RuntimeError):
    """A server of indexes cannot be reached, or gives no answer: it is too busy, or finds the question too expensive."""


class QueryError(SuffixIndexError, ValueError):
    """A question that has no exact answer: an id outside the vocabulary, a separator inside an n-gram."""


class UnaskableError(QueryError):
    """A text that cannot be looked up: the tokenizer makes no token of it, or has none for a piece of it."""


class MissingDependencyError(SuffixIndexError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""
