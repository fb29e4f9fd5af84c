"""Files and folders that outlive a power cut: what is made or renamed is synced, and so is the folder that it is in."""

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from suffixindex.storage.files import link_file, link_files, make_folder, move_folder, remove, write_bytes


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that were synced, in order."""
    paths: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    return paths


def test_every_folder_that_was_made_is_synced_where_it_was_made(tmp_path: Path, synced: list[str]) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    assert synced == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(FileExistsError):
            make_folder(path)


def test_a_rename_is_synced(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "into").mkdir()
    move_folder(tmp_path / "a", tmp_path / "into" / "b")
    assert synced == [str(tmp_path / "into")]
    write_bytes(tmp_path / "into" / "file", b"content")
    assert synced[1:] == [str(tmp_path / "into" / "file.tmp"), str(tmp_path / "into")]


@pytest.mark.parametrize("linked", [True, False])
def test_a_link_or_a_copy_is_synced(tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    (tmp_path / "raw").write_bytes(b"1234")
    (tmp_path / "name").symlink_to(tmp_path / "raw")
    (tmp_path / "into").mkdir()

    def other_disk(source: str, target: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    if not linked:
        monkeypatch.setattr(os, "link", other_disk)
    link_file(tmp_path / "name", tmp_path / "into" / "tokens")
    assert (tmp_path / "into" / "tokens").read_bytes() == b"1234"
    assert os.path.samefile(tmp_path / "raw", tmp_path / "into" / "tokens") == linked
    assert synced == [str(tmp_path / "into" / "tokens"), str(tmp_path / "into")]


@pytest.mark.parametrize("linked", [True, False])
def test_of_many_links_the_folders_are_synced(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    targets = {tmp_path / name: tmp_path / f"into{name}" / name for name in "ab"}
    for source, target in targets.items():
        source.write_text(source.name)
        target.parent.mkdir()
    if not linked:
        monkeypatch.setattr(os, "link", Mock(side_effect=OSError(errno.EXDEV, os.strerror(errno.EXDEV))))
    link_files(targets)
    assert [(target.read_text(), os.path.samefile(source, target)) for source, target in targets.items()] == [
        (source.name, linked) for source in targets
    ]
    assert synced[-2:] == [str(target.parent) for target in targets.values()]
    assert {path for path in synced if Path(path).is_file()} == ({*map(str, targets.values())} if not linked else set())


def test_the_first_error_of_a_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        def failing(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, name)

        monkeypatch.setattr(os, name, failing)

    fail("fsync")
    fail("unlink")
    with pytest.raises(OSError, match="fsync"):
        write_bytes(tmp_path / "file", b"content")


def test_a_folder_into_which_others_write_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a cluster whose build has failed may be at work still: the next build could not clear the folder."""
    folder = tmp_path / "attempts" / "1"
    folder.mkdir(parents=True)
    left = iter(["late", "later"])
    rmdir = os.rmdir

    def written_to_first(name: str, **options: int | None) -> None:
        if os.path.basename(name) == "1" and (late := next(left, None)):
            (folder / late).touch()
        rmdir(name, **options)

    monkeypatch.setattr(os, "rmdir", written_to_first)
    remove(tmp_path / "attempts")
    assert not list(tmp_path.iterdir()) and next(left, None) is None

    def never(name: str, **options: int | None) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty", name)

    folder.mkdir(parents=True)
    monkeypatch.setattr(os, "rmdir", never)
    monkeypatch.setattr("suffixindex.storage.files.WAIT_SECONDS", 0.0)
    with pytest.raises(OSError, match="Directory not empty"):
        remove(tmp_path / "attempts")
