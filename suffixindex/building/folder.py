"""The folder of a build: its lock, what in it may be taken up or thrown away, and what the system says of it."""

import errno
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from suffixindex.building.parts import PART_MARKER
from suffixindex.building.state import BuildState, Parts, Settings
from suffixindex.errors import BuildError, CorpusError, FormatError, SuffixIndexError, TokenizerError
from suffixindex.storage.files import fsync_folder, make_folder, move_folder, remove
from suffixindex.storage.format import APPEND, BUILD_STATE, MANIFEST, PROVENANCE, SOURCES, WORK, Manifest
from suffixindex.storage.layout import check_layout
from suffixindex.tokenizers.hub import TOKENIZER_FILE
from suffixindex.tokenizers.words import VOCABULARY_FILES

log = logging.getLogger(__name__)

LOCK = "build.lock"


def take_up(folder: Path, settings: Settings, largest_shard: int | None) -> BuildState | None:
    """The state to go on from; None if the index is finished.

    The shard size that is there is taken over if it is at most ``largest_shard``. An unfinished build takes the new settings
    where nothing of what it has done depends on the old ones, so that what an error advised can be done.

    Raises
    ------
    BuildError
        The folder holds a build of other settings, or something else.
    """
    remove(folder / f"{BUILD_STATE}.tmp")  # what a kill in the middle of writing it left
    state = BuildState.read(folder)
    finished = (folder / MANIFEST).exists()
    if finished:
        try:
            manifest = Manifest.read(folder)
            check_layout(folder, manifest)
        except FormatError as error:
            raise FormatError(f"{error}: start anew with --restart") from error
        found: Mapping[str, object] = {"tokenizer": manifest.tokenizer, **manifest.settings}
    elif state is None:
        if any(entry.name != LOCK for entry in folder.iterdir()):
            raise BuildError(f"{folder} is not empty and holds no index: choose another folder")
        return _begun(folder, settings)
    elif not has_begun(folder, state):
        if state.settings == settings:
            return state
        clear(folder)
        return _begun(folder, settings)
    else:
        found = state.settings.to_json()
    capacity = found.get("shard_capacity")
    if largest_shard is not None and isinstance(capacity, int) and capacity <= largest_shard:
        settings = replace(settings, shard_capacity=capacity)
    other = {key for key, value in settings.to_json().items() if found.get(key) != value}
    back = ", which brings back the documents that were removed from it" if finished and manifest.removed else ""
    if state is not None and not finished and other <= _free(state, settings):
        state.settings = settings
        state.write(folder)
        return state
    if other:
        what = f"{'an index' if finished else 'an unfinished build'} of other settings ({', '.join(sorted(other))} differ)"
        raise BuildError(f"{folder} holds {what}: choose another folder, or throw it away with --restart{back}")
    if finished:
        log.warning("%s is finished already: no input was read; --restart builds it anew%s", folder, back)
        remove(folder / BUILD_STATE)
        return None
    return state


def has_begun(folder: Path, state: BuildState) -> bool:
    """Whether an unfinished build has done anything that the next call goes on from."""
    if isinstance(state.checkpoint, Parts):
        return any((folder / WORK / "parts").glob(f"*/{PART_MARKER}"))
    return state.checkpoint is not None or state.encoded is not None


def _begun(folder: Path, settings: Settings) -> BuildState:
    state = BuildState(settings)
    state.write(folder)
    return state


def _free(state: BuildState, settings: Settings) -> set[str]:
    """The settings on which nothing depends that an unfinished build has done."""
    free: set[str] = set()
    if settings.on_error == "skip" and state.encoded is None:
        free.add("on_error")  # what is encoded had no record to skip
    if isinstance(state.checkpoint, Parts):
        free.add("shard_capacity")  # documents are given to shards when all parts are there
    return free


def clear(folder: Path) -> None:
    """Remove an index or an unfinished build, and nothing else."""
    names = {MANIFEST, PROVENANCE, SOURCES, BUILD_STATE, TOKENIZER_FILE, *VOCABULARY_FILES, "shards", WORK, APPEND, LOCK}
    for entry in folder.iterdir():
        if re.sub(r"\.\d+(?=\.)", "", entry.name.removesuffix(".tmp")) not in names:
            raise BuildError(f"{folder} holds {entry.name}, which is no part of an index: choose another folder")
    for entry in (folder / "shards").glob("*"):
        if not (entry.name.isdecimal() and entry.is_dir()):
            raise BuildError(f"{folder} holds shards/{entry.name}, which is no part of an index: choose another folder")
    found = [entry.name for entry in folder.iterdir() if entry.name != LOCK]
    if found and not {MANIFEST, SOURCES, BUILD_STATE}.intersection(name.removesuffix(".tmp") for name in found):
        raise BuildError(f"{folder} is not empty and holds no index: choose another folder")
    # the manifest first, so that what is left is no index, and last what tells that there was one
    for name in sorted(found, key=lambda name: (name != MANIFEST, name in (BUILD_STATE, SOURCES))):
        remove(folder / name)
        if name == MANIFEST:
            fsync_folder(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second build; the lock goes with the process, however that ends."""
    try:
        make_folder(folder)
    except (FileExistsError, NotADirectoryError):
        file = next(path for path in (folder, *folder.parents) if path.exists())
        raise BuildError(f"{file} is a file: an index is a folder, choose another path") from None
    except OSError as error:
        raise BuildError(f"{folder} cannot be made: {error.strerror}") from error
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BuildError(f"another build is writing to {folder}: wait for it, or choose another folder") from None
    except OSError as error:
        raise BuildError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps an open file; elsewhere no second build may slip in between
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # a lock that stays behind is no lock any more; an error before is the one to tell
            (folder / LOCK).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def appearing(target: Path, how: str) -> Iterator[Path]:
    """A folder to fill, in ``TARGET.how`` beside the target, that becomes the target in the end; or nothing is left of it.

    Raises
    ------
    BuildError
        There is something at the target, or it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BuildError(f"{target} is there and not empty: choose another folder for the new index")
    work = target.with_name(f"{target.name}.{how}")
    inside = work / "index"
    with locked(work):
        try:
            remove(inside)
            yield inside
            move_folder(inside, target)
        except OSError as error:
            if isinstance(error, SuffixIndexError):
                raise
            why = "no space is left" if error.errno == errno.ENOSPC else f"{error.filename}: {error.strerror}"
            raise BuildError(f"{target} cannot be written ({why}): nothing of it is kept, run the same command again") from error
        finally:
            remove(inside)


@contextmanager
def kept(folder: Path, state: BuildState) -> Iterator[None]:
    """Say of an error of the corpus that what was done before it is kept, so that another corpus needs a new start."""
    try:
        yield
    except (CorpusError, TokenizerError) as error:
        if not has_begun(folder, state) or "--restart" in str(error):
            raise
        raise type(error)(f"{error}; if the corpus or another setting is changed, start anew with --restart") from error


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says of a full disk or a missing permission into a sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, SuffixIndexError):
            raise
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise BuildError(
                f"no space left for {folder}: free some, then run the same command, it goes on from the last finished step"
            ) from error
        raise BuildError(
            f"{error.filename or folder}: {error.strerror or error}; the build stopped, what is finished is kept"
        ) from error
