"""Remove documents from an index: who opens it from then on asks one in which they have never been.

Each shard that holds some of them is written anew without them, in one pass (:mod:`suffixindex.changing.filtered`), beside the one
that is there, and a manifest that lists the new ones takes the place of the old: until then the index is the old one, from then on
the new one. Whoever has the old one open goes on with it. The old shards stay on the disk, so that :func:`restore` can undo the
removal, until they are purged. Killed at any point, the same call goes on.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.folder import appearing, locked, plain_errors
from suffixindex.changing import removal
from suffixindex.changing.rest import write_rest
from suffixindex.errors import BuildError, QueryError
from suffixindex.index import SuffixIndex
from suffixindex.ngrams import Clause, aliases
from suffixindex.opening import NOTHING, is_foreign, open_index
from suffixindex.queries.groups import Where
from suffixindex.storage.format import Manifest, read_provenance
from suffixindex.storage.history import left_bytes, link_index
from suffixindex.system.memory import cpu_count

log = logging.getLogger(__name__)

Chosen = Callable[[SuffixIndex], NDArray[np.bool_]]
"""Which documents of an index go."""


class Removed(NamedTuple):
    """What was removed, or would be, and what the index holds then."""

    path: Path
    num_documents: int
    """That were removed."""
    num_tokens: int
    """In these."""
    num_shards: int
    """That held some of them."""
    num_bytes: int
    """Of these shards: so many are read, and less is written. 0 where they are another engine's, whose files are not listed."""
    forgotten_words: int
    """Words of the vocabulary of ``words`` that no other document holds."""
    left_bytes: int
    """That lie in the folder beside the index, those of documents that were removed among them; 0 once they are purged."""
    linked_files: int
    """Purged files that have another name somewhere, as in an index that this one was merged into."""
    total_documents: int
    total_tokens: int


def remove(
    index: str | os.PathLike[str],
    documents: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    *,
    where: Where | None = None,
    holding: Clause | None = None,
    reason: str | None = None,
    purge: bool = False,
    again: bool = False,
    dry_run: bool = False,
    output: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> Removed:
    """Remove the documents that meet every condition which is given; with ``purge`` alone, delete what earlier removals left.

    Those that stay are numbered anew, without gaps; ids of tokens stay. No answer of any kind counts, shows or samples a document
    that was removed, and of `words` those are unknown that no other document holds: the index is what a build of the rest would
    be, with the ids that there are. Costs a pass over the shards that hold the documents, 250 MB/s of their files on one core,
    and sorts nothing.

    Parameters
    ----------
    index
        An index of ours. Readers who have it open go on with what they opened. Or, with ``output``, one of another engine.
    documents
        Their numbers.
    where
        A condition on their metadata, or a boolean for each document: see :meth:`SuffixIndex.mask`.
    holding
        An n-gram or pattern that they hold, or several of which they hold any.
    reason
        Kept in the index, with the time. The conditions are not: what is to be forgotten may stand in them.
    purge
        Delete the old shards, so that the text is gone from the folder and :func:`restore` is not possible any more. What no
        deletion reaches: snapshots and copies, other hard links to the files, and what a process has open until it ends.
    again
        Remove the documents that have these numbers now, though those that had the same ones were removed last. Without it nothing
        is done then, so that a call that was killed at its very end can be made again.
    dry_run
        Change nothing, and say what would be removed.
    output
        Leave the index as it is, and make one of ours of the rest in this folder, which must be absent or empty: by hard links to
        shards that stay, or, of another engine's index, whose order depends on which documents follow each other, by a suffix sort.
    threads, progress
        As of :func:`suffixindex.build`.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError
        There is no whole index, or a shard is damaged; the index is what it was.
    QueryError
        A condition that no question takes.
    BuildError
        No document would be left, or it cannot be written; the index is what it was.
    """
    folder = Path(index).absolute()
    if is_foreign(folder) and output is None and not dry_run:
        raise BuildError(
            f"{folder} is no index of ours, and its files stay as they are: name a folder for an index of the rest, --output"
        )
    if not is_foreign(folder):
        Manifest.read(folder)
    given = {"documents": documents, "where": where, "holding": holding}
    numbers = None if documents is None else _numbers(documents)
    by = [name for name, condition in given.items() if condition is not None]
    if not by and (output is not None or not purge):
        raise BuildError("nothing says which documents to remove: give documents, where or holding")

    def choose(opened: SuffixIndex) -> NDArray[np.bool_]:
        return _choose(opened, numbers, where, holding) if by else np.zeros(opened.num_documents, bool)

    if dry_run:
        with SuffixIndex(folder, threads=threads) as opened:
            planned = removal.plan_removal(opened.shards, choose(opened))
            return _report(folder, opened.manifest, planned, len(_forgotten(opened, planned)))
    record: dict[str, Any] = {"by": by}
    if numbers is not None:
        record["documents"] = sha256(np.unique(numbers).astype("<i8").tobytes()).hexdigest()
    if reason is not None:
        record["reason"] = reason
    if output is not None:
        return _remove_into(folder, Path(output).absolute(), choose, record, threads, progress)
    with locked(folder), plain_errors(folder):
        if not again and _is_done(folder, record):
            log.warning(
                "%s: the documents that had these numbers are removed, and others have them now: nothing was done; "
                "to remove those too, say --again (again=True)",
                folder,
            )
            choose = _none
        removed = _remove(folder, choose, record, threads, progress)
        return removed._replace(linked_files=removal.purge(folder), left_bytes=0) if purge else removed


def _numbers(documents: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Numbers of documents as an array.

    Raises
    ------
    QueryError
        They are something else.
    """
    numbers = np.asarray(documents)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise QueryError(
            f"documents are {numbers.dtype} of shape {numbers.shape}: expected a list of their numbers, or give a mask as where"
        )
    return numbers.astype(np.int64)


def _none(opened: SuffixIndex) -> NDArray[np.bool_]:
    return np.zeros(opened.num_documents, bool)


def _choose(
    opened: SuffixIndex,
    documents: NDArray[np.int64] | None,
    where: Where | None,
    holding: Clause | None,
) -> NDArray[np.bool_]:
    """The documents that meet all conditions."""
    mask = np.ones(opened.num_documents, bool)
    if documents is not None:
        if outside := documents[(documents < 0) | (documents >= opened.num_documents)].tolist():
            raise QueryError(f"document {outside[0]} is outside the corpus of {opened.num_documents:,} documents")
        mask[:] = False
        mask[documents] = True
    if where is not None:
        mask &= opened.mask(where)
    if holding is not None:
        ngrams = aliases(holding)
        if not ngrams:
            raise QueryError("holding names no n-gram: give one, or several of which a document holds any")
        checked = [opened.checker.query(ngram) for ngram in ngrams]
        if any(isinstance(one, np.ndarray) and not len(one) for one in checked):
            raise QueryError("the empty n-gram is held by every document that has a token: name what documents hold")
        mask &= opened.holding(holding)
    return mask


def _is_done(folder: Path, record: dict[str, Any]) -> bool:
    """Whether the last removal was of documents of the same numbers."""
    manifest = Manifest.read(folder)
    return "documents" in record and bool(manifest.removed) and manifest.removed[-1].get("documents") == record["documents"]


def _remove(folder: Path, choose: Chosen, record: dict[str, Any], threads: int | None, progress: bool | None) -> Removed:
    began = monotonic()
    read_provenance(folder)  # which says, before anything is done, if it is damaged
    with SuffixIndex(folder, threads=threads) as opened:
        planned = removal.plan_removal(opened.shards, choose(opened))
        if planned.num_documents == opened.num_documents:
            raise BuildError(
                f"{folder} would hold no document any more, and an index holds one at least: remove the folder instead"
            )
        forgotten = _forgotten(opened, planned)
        if planned.num_documents:
            told = {"time": removal.now(), "num_documents": planned.num_documents, "num_tokens": planned.num_tokens, **record}
            removal.write_without(folder, opened.shards, planned, told, threads or cpu_count(), progress, forgotten)
            removal.tell(folder, "removed", {"finished": removal.now(), "seconds": round(monotonic() - began, 3)})
        return _report(folder, opened.manifest, planned, len(forgotten))


def _planned(opened: SuffixIndex, choose: Chosen) -> removal.Removal:
    planned = removal.plan_removal(opened.shards, choose(opened))
    if planned.num_documents == opened.num_documents:
        raise BuildError(
            f"{opened.path} would hold no document any more, and an index holds one at least: remove the folder instead"
        )
    return planned


def _record(planned: removal.Removal, record: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a removal."""
    return {"time": removal.now(), "num_documents": planned.num_documents, "num_tokens": planned.num_tokens, **record}


def _remove_into(
    folder: Path, target: Path, choose: Chosen, record: dict[str, Any], threads: int | None, progress: bool | None
) -> Removed:
    """Make an index of what stays at ``target``."""
    with appearing(target, "removing") as inside:
        if not is_foreign(folder):
            link_index(folder, inside)
            removed = _remove(inside, choose, record, threads, progress)
            removal.purge(inside)
            return removed._replace(path=target, left_bytes=0)
        with SuffixIndex(folder, threads=threads) as opened:
            planned = _planned(opened, choose)
            told = _record(planned, record)
            write_rest(open_index(folder, NOTHING), planned, told, inside, threads or cpu_count(), progress)
            return _report(target, opened.manifest, planned, 0)


def _forgotten(opened: SuffixIndex, planned: removal.Removal) -> list[int]:
    """The ids of `words` that only documents hold which go."""
    if opened.manifest.tokenizer["kind"] != "words" or not planned.num_documents:
        return []
    going = removal.count_removed(opened.shards, planned, opened.vocabulary_size)
    met = np.flatnonzero(going)
    there = opened.counts(met[:, None])
    forgotten: list[int] = met[there == going[met]].tolist()
    return forgotten


def _report(folder: Path, manifest: Manifest, planned: removal.Removal, forgotten: int) -> Removed:
    """What is said of an index of that manifest before the removal."""
    left = 0 if is_foreign(folder) else left_bytes(folder)
    documents, tokens = manifest.num_documents - planned.num_documents, manifest.num_tokens - planned.num_tokens
    return Removed(folder, *planned[1:], forgotten, left, 0, documents, tokens)


class Restored(NamedTuple):
    """What came back, and what the index holds then."""

    path: Path
    num_documents: int
    num_tokens: int
    total_documents: int
    total_tokens: int


def restore(index: str | os.PathLike[str]) -> Restored:
    """Undo the last removal that is not purged, if nothing was appended since; again, the one before. O(shards).

    Raises
    ------
    BuildError
        Nothing was removed, it was purged, or something was appended since.
    NoIndexError, UnfinishedIndexError, FormatError
        There is no whole index, or what was removed is damaged; the index is what it was.
    """
    folder = Path(index)
    if is_foreign(folder):
        raise BuildError(f"{folder} is no index of ours: nothing was removed from it")
    manifest = Manifest.read(folder)
    with locked(folder), plain_errors(folder):
        read_provenance(folder)
        before = removal.restore_state(folder)
        removal.tell(folder, "restored", {"finished": removal.now()})
    documents, tokens = before.num_documents - manifest.num_documents, before.num_tokens - manifest.num_tokens
    return Restored(folder, documents, tokens, before.num_documents, before.num_tokens)
