"""What an unfinished build keeps: the same bytes in every version, so that a newer one goes on with what an older one began."""

import json
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import suffixindex as si
from suffixindex.building import job, team
from suffixindex.building.state import BuildState, Checkpoint, Counts, Encoded, EncodedParts, Parts
from suffixindex.corpus import lines
from suffixindex.storage.format import BUILD_STATE
from tests.helpers.building import write_jsonl
from tests.suffixindex.building.test_resume import content_of

SETTINGS = (
    '"settings": {"tokenizer": {"kind": "words", "unicode": "14.0.0"}, "inputs": "8ca1e5", "text_field": "text", '
    '"metadata": true, "on_error": "skip", "shard_capacity": 12}'
)
BEGUN = "{" + SETTINGS + ', "checkpoint": null, "encoded": null, "seconds": {}, "peak_memory_bytes": 0}'
IN_THE_MIDDLE = (
    "{" + SETTINGS + ', "checkpoint": {"counts": {"cursor": [0, 12], "documents": 12, "tokens": 27, "text_bytes": 299, "skipped": '
    '{"malformed JSON": 2, "no field \'text\'": 1}}, "writer": {"shards": [[3, 10], [3, 8], [3, 12]], "documents": 3, "length": 9, '
    '"metadata_bytes": 146}, "encoder": 7}, "encoded": null, "seconds": {"encode": 0.25}, "peak_memory_bytes": 0}'
)
WITH_PARTS = "{" + SETTINGS + ', "checkpoint": {"parts": [[0, 1], [1, 4]]}, "encoded": null, "seconds": {}, "peak_memory_bytes": 0}'
ENCODED = (
    "{"
    + SETTINGS
    + ', "checkpoint": null, "encoded": {"shards": [[3, 10], [3, 8]], "vocabulary_size": 4, "counts": {"cursor": [0, 13], '
    '"documents": 6, "tokens": 12, "text_bytes": 302, "skipped": {}}}, "seconds": {"encode": 1.5}, "peak_memory_bytes": 0}'
)
ENCODED_IN_PARTS = (
    "{"
    + SETTINGS
    + ', "checkpoint": null, "encoded": {"shards": [[3, 10], [3, 8]], "vocabulary_size": 4, "counts": {"cursor": [1, 0], '
    '"documents": 6, "tokens": 12, "text_bytes": 302, "skipped": {"malformed JSON": 1}}, "pieces": [[[0, 0, 2], [1, 0, 1]], '
    '[[1, 1, 4]]]}, "seconds": {}, "peak_memory_bytes": 193654784}'
)
STATES = {
    BEGUN: (type(None), type(None)),
    IN_THE_MIDDLE: (Checkpoint, type(None)),
    WITH_PARTS: (Parts, type(None)),
    ENCODED: (type(None), Encoded),
    ENCODED_IN_PARTS: (type(None), EncodedParts),
}


@pytest.mark.parametrize("content", STATES)
def test_a_state_is_read_and_written_byte_for_byte(tmp_path: Path, content: str) -> None:
    (tmp_path / BUILD_STATE).write_text(content)
    state = BuildState.read(tmp_path)
    assert state is not None
    assert (type(state.checkpoint), type(state.encoded)) == STATES[content]
    (tmp_path / BUILD_STATE).unlink()
    state.write(tmp_path)
    assert (tmp_path / BUILD_STATE).read_text() == sealed(content)
    assert BuildState.read(tmp_path) == state


def sealed(content: str) -> str:
    """A state as it is written, with its hash."""
    return f'{content[:-1]}, "sha256": "{sha256(content.encode()).hexdigest()}"}}'


def test_a_number_that_might_be_is_noticed_by_the_hash(tmp_path: Path) -> None:
    """Bytes of metadata, or words of the vocabulary, that were others: the build ended in a damaged index."""
    for old, new in (('"metadata_bytes": ', '"metadata_bytes": 1'), ('"encoder": ', '"encoder": 1')):
        changed = sealed(IN_THE_MIDDLE).replace(old, new)
        assert changed != sealed(IN_THE_MIDDLE)
        (tmp_path / BUILD_STATE).write_text(changed)
        with pytest.raises(si.FormatError, match=r"build\.json is damaged: start anew with --restart"):
            BuildState.read(tmp_path)


@pytest.mark.parametrize("content", STATES)
def test_a_state_that_lacks_something_is_damaged(tmp_path: Path, content: str) -> None:
    """Whatever is taken out of a state, or replaced by what it cannot be: a sentence, or a state that is whole without it."""
    whole = json.loads(content)
    for where in [(), ("settings",), ("checkpoint",), ("checkpoint", "counts"), ("checkpoint", "writer"), ("encoded",)]:
        for wrong in (None, 5, "text", []):
            for name in _at(whole, where):
                changed = json.loads(content)
                if wrong is None:
                    del _at(changed, where)[name]
                else:
                    _at(changed, where)[name] = wrong
                (tmp_path / BUILD_STATE).write_text(json.dumps(changed))
                try:
                    BuildState.read(tmp_path)
                except si.FormatError as error:
                    assert "is damaged: start anew with --restart" in str(error)


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("stage", ["encoding", "sorting"])
def test_a_hostile_state_ends_in_the_same_index_or_in_one_of_our_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Every number and every list of the state of a real build, in turn, as something that it cannot be."""
    monkeypatch.setattr(lines, "READ_BYTES", 60)
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    corpus = write_jsonl(tmp_path / "b.jsonl", ["a b c", "", "b b b b", "c a"])
    options = {"tokenizer": "words", "shard_tokens": 8, "progress": False}
    si.build(corpus, tmp_path / "whole", **options)
    what = mock.patch.object(job, "_sort") if stage == "sorting" else mock.patch.object(job.Job, "encoded")
    with what as patched, pytest.raises(KeyboardInterrupt):
        patched.side_effect = KeyboardInterrupt
        si.build(corpus, tmp_path / "begun", checkpoint_seconds=0, **options)
    whole = json.loads((tmp_path / "begun" / BUILD_STATE).read_text())
    del whole["sha256"]  # which would notice each
    tried = 0
    for place in _places(whole):
        for wrong in (-1, 10**30, "x", [[-1, 2]]):
            state = json.loads(json.dumps(whole))
            *above, last = place
            inner = state
            for step in above:
                inner = inner[step]
            inner[last] = wrong
            shutil.rmtree(tmp_path / "now", ignore_errors=True)
            shutil.copytree(tmp_path / "begun", tmp_path / "now")
            (tmp_path / "now" / BUILD_STATE).write_text(json.dumps(state))
            tried += 1
            try:
                si.build(corpus, tmp_path / "now", checkpoint_seconds=0, **options)
            except (si.FormatError, si.BuildError) as error:
                assert str(error).endswith("with --restart"), place
            else:
                assert content_of(tmp_path / "now") == content_of(tmp_path / "whole"), (place, wrong)
    assert tried > 100


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every entry of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in inner:
        yield (*above, step)
        yield from _places(one, (*above, step))


def _at(content: dict, where: tuple[str, ...]) -> dict:
    for name in where:
        content = content.get(name) or {}
    return content


def test_counts_add_up() -> None:
    counts = Counts(skipped={"b": 1}).plus(2, 3, 5, {"a": 1, "b": 2}).plus(1, 1, 1, {})
    assert counts == Counts((0, 0), 3, 4, 6, {"a": 1, "b": 3})
    assert list(counts.skipped) == ["a", "b"]


def test_a_build_goes_on_from_what_an_earlier_version_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The states of a real build are those that version 0.1.0 wrote of it, and each goes on to the same index."""
    monkeypatch.setattr(lines, "READ_BYTES", 60)
    monkeypatch.setattr(team, "BATCH_BYTES", 1)
    texts = ["a b c", "", "b b b b", "c a"] * 3
    corpus = write_jsonl(tmp_path / "b.jsonl", texts, n=range(len(texts)))
    options = {"tokenizer": "words", "shard_tokens": 12, "on_error": "skip", "progress": False}
    si.build(corpus, tmp_path / "whole", **options)
    expected = content_of(tmp_path / "whole")
    settings = si.open(tmp_path / "whole").info()
    told = json.dumps({"settings": {"tokenizer": settings["tokenizer"], **settings["settings"]}})[1:-1]
    size = os.path.getsize(corpus)
    counts = f'{{"cursor": [0, 12], "documents": 12, "tokens": 27, "text_bytes": {size}, "skipped": {{}}}}'
    shards = "[[3, 10], [3, 8], [3, 12]"
    encoded = f'{{"shards": {shards}, [3, 9]], "vocabulary_size": 4, "counts": {counts}}}'

    def interrupted(what: str, index: Path) -> None:
        with mock.patch.object(job, what, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            si.build(corpus, index, checkpoint_seconds=0, **options)

    interrupted("_sort", tmp_path / "sorting")
    with mock.patch.object(job.Job, "encoded", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        si.build(corpus, tmp_path / "encoding", checkpoint_seconds=0, **options)
    metadata = len((tmp_path / "encoding" / "shards" / "00003" / "metadata.jsonl").read_bytes())
    writer = f'{{"shards": {shards}], "documents": 3, "length": 9, "metadata_bytes": {metadata}}}'
    checkpoint = f'{{"counts": {counts}, "writer": {writer}, "encoder": 7}}'
    for name, at, content in (("encoding", "checkpoint", checkpoint), ("sorting", "encoded", encoded)):
        state = json.loads((tmp_path / name / BUILD_STATE).read_text())
        found = {"checkpoint": "null", "encoded": "null", at: content}
        progress = f'"checkpoint": {found["checkpoint"]}, "encoded": {found["encoded"]}, "seconds": {json.dumps(state["seconds"])}'
        assert (tmp_path / name / BUILD_STATE).read_text() == sealed(f'{{{told}, {progress}, "peak_memory_bytes": 0}}')
        si.build(corpus, tmp_path / name, **options)
        assert content_of(tmp_path / name) == expected
