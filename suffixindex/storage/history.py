"""What lies in the folder of an index beside that which its manifest lists: states from before documents were removed."""

from collections.abc import Iterator
from pathlib import Path

from suffixindex.errors import FormatError
from suffixindex.storage.files import link_file, make_folder, remove
from suffixindex.storage.format import APPEND, MANIFEST, PROVENANCE, REMOVED, SHARD_MARKER, SHARDS, Manifest, shard_folder
from suffixindex.storage.layout import check_layout

VOCABULARY = "vocabulary"
"""How the names of the files of `words` begin."""


def state_folder(index: Path, number: int) -> Path:
    """Where the manifest from before a removal lies; removals count from 1."""
    return index / REMOVED / str(number)


def sweep(index: Path, manifest: Manifest) -> None:
    """Remove shards that neither the index nor a state that can be restored lists: what was killed in the middle left them.

    Raises
    ------
    FormatError
        The manifest of such a state is damaged.
    """
    listed = listed_shards(index, manifest)
    for folder in _shards(index):
        if folder.name not in listed:
            remove(folder)


def fresh_shards(index: Path, manifest: Manifest, count: int) -> list[Path]:
    """Folders for so many shards after all that are listed; raises as :func:`sweep`."""
    numbers = [name.partition(".")[0] for name in listed_shards(index, manifest)]
    first = 1 + max(int(number) for number in numbers if number.isdecimal())
    return [shard_folder(index, first + i) for i in range(count)]


def unlisted(index: Path, manifest: Manifest) -> list[Path]:
    """What may hold text that is no text of the index: other shards, vocabularies and manifests, an append under way."""
    listed = {folder.name for folder in manifest.shard_folders(index)}
    found = [folder for folder in _shards(index) if folder.name not in listed]
    for entry in sorted(index.iterdir()):
        other_words = entry.name.startswith(VOCABULARY) and entry.name not in manifest.files
        if other_words or entry.name in (REMOVED, APPEND) or (entry.suffix == ".tmp" and entry.is_file()):
            found.append(entry)
    return found


def left_bytes(index: Path) -> int:
    """Bytes of what is :func:`unlisted`, now; none where the index is gone."""
    if not (index / MANIFEST).exists():
        return 0
    return sum(file.stat().st_size for file in files_in(unlisted(index, Manifest.read(index))))


def files_in(paths: list[Path]) -> Iterator[Path]:
    """All files at and below some paths."""
    for path in paths:
        yield from (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def link_index(index: Path, target: Path) -> None:
    """The same index in another folder, of links to its files, or of copies on another disk; raises as an opening."""
    manifest = Manifest.read(index)
    check_layout(index, manifest)
    make_folder(target)
    for file, _ in manifest.listed_files(index):
        make_folder((target / file.relative_to(index)).parent)
        link_file(file, target / file.relative_to(index))
    for name in [f"{SHARDS}/{folder.name}/{SHARD_MARKER}" for folder in manifest.shard_folders(index)] + [PROVENANCE]:
        if (index / name).exists():
            link_file(index / name, target / name)
    check_layout(target, manifest)
    manifest.write(target)


def _shards(index: Path) -> list[Path]:
    folder = index / SHARDS
    return sorted(folder.iterdir()) if folder.is_dir() else []


def listed_shards(index: Path, manifest: Manifest) -> set[str]:
    """Names of the shards' folders, now and in every state that can be restored."""
    states = [manifest]
    for number in range(1, len(manifest.removed) + 1):
        folder = state_folder(index, number)
        if (folder / MANIFEST).exists():
            try:
                states.append(Manifest.read(folder))
            except FormatError as error:
                raise FormatError(
                    f"{error}; it is of documents that were removed: throw these away with suffixindex remove {index} --purge"
                ) from error
    return {folder.name for state in states for folder in state.shard_folders(index)}
