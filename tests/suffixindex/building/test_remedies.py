"""Every sentence of a build that gives advice: the advice is followed, and what was refused ends in an index.

A case makes a corpus that is refused, and what its sentence says to do. A sentence with advice that no case follows, and that
is not named as one that cannot be followed here, fails the last test.
"""

import ast
import gzip
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import suffixindex as si
from suffixindex import construct
from suffixindex.building import state
from suffixindex.corpus.formats import SIGNATURES
from suffixindex.corpus.megatron import HEADER_BYTES
from suffixindex.remote import problems
from tests.helpers.building import write_jsonl, write_tokenizer
from tests.helpers.foreign_building import write_megatron
from tests.helpers.http_server import Manner, Server
from tests.suffixindex.building.test_resume import content_of
from tests.suffixindex.corpus.test_formats import tarred, zipped

Follow = Callable[[str], dict[str, Any]]
"""Does what a sentence says, and returns what of the call is another one then."""


class Refused(NamedTuple):
    """The call that is refused: ``corpus``, ``index`` and the options of a build; and how its sentence is followed."""

    call: dict[str, Any]
    follow: Follow


CASES: dict[str, tuple[str, Callable[[Path], Refused]]] = {}
"""Names of cases: the advice as it stands in the source, and the case."""


def case(advice: str, name: str = "") -> Callable[[Callable[[Path], Refused]], Callable[[Path], Refused]]:
    def keep(prepare: Callable[[Path], Refused]) -> Callable[[Path], Refused]:
        CASES[name or f"{prepare.__name__}"] = advice, prepare
        return prepare

    return keep


def file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def mended(advice: str, name: str, bad: bytes | str, good: bytes | str, new_name: str = "", **options: Any) -> None:
    """A file that is written anew, under another name perhaps."""

    def prepare(folder: Path) -> Refused:
        path = file(folder, name, bad)

        def follow(said: str) -> dict[str, Any]:
            path.unlink()
            return {"corpus": file(folder, new_name or name, good)}

        return Refused({"corpus": path, **options}, follow)

    CASES[f"{advice[:50]} ({name}, {len(CASES)})"] = advice, prepare


def told(advice: str, name: str, content: bytes | str, call: dict[str, Any], **other: Any) -> None:
    """A file as it is, with other options."""
    CASES[f"{advice[:50]} ({name}, {len(CASES)})"] = (
        advice,
        lambda folder: Refused({"corpus": file(folder, name, content), **call}, lambda said: other),
    )


def packed(content: bytes, times: int) -> bytes:
    return packed(gzip.compress(content), times - 1) if times else content


GOOD = '{"text": "one two"}\n{"text": "three"}\n'
IDS = np.array([1, 2, 0, 3, 0], "<u2")


def saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


# ---- options -----------------------------------------------------------------------------------------------------

told("both set the size of the shards: give one", "a.jsonl", GOOD, {"memory": "2GiB", "shard_tokens": 90}, memory=None)
told("expected raise or skip", "a.jsonl", GOOD, {"on_error": "stop"}, on_error="skip")
told("is {}: expected 1 or more", "a.jsonl", GOOD, {"threads": 0}, threads=1)
told("no size: write it as 16GiB, 500MB or a number", "a.jsonl", GOOD, {"memory": "much"}, memory="16GiB")
told("no number of tokens: write it as 500M, 2G or a number", "a.jsonl", GOOD, {"shard_tokens": "many"}, shard_tokens="500M")
told("unknown input format {}: expected one of", "a.jsonl", GOOD, {"input_format": "xml"}, input_format="jsonl")
told("there is no tokenizer engine {}: use", "a.jsonl", GOOD, {"tokenizer": "HF", "engine": "x"}, engine="tokenizers")
told("a corpus of text needs a tokenizer: bytes, words or", "a.jsonl", GOOD, {"tokenizer": "none"}, tokenizer="words")
told("is no device: cpu, cuda, cuda:NUMBER or auto", "a.jsonl", GOOD, {"device": "gpu"}, device="auto")
told("--text-field names the text", "a.jsonl", '{"body": "one"}\n', {}, text_field="body")
told("--text-field names one of its fields", "a.jsonl", '{"text": {"en": "one"}}\n', {}, text_field="text.en")
told("a separator is named for files of ids alone (--input-format u16)", "a", IDS.tobytes(),
     {"separator": 0, "input_format": "text", "tokenizer": "none"}, input_format="u16")  # fmt: skip
told("1 or more, are named for Megatron datasets alone", "a.jsonl", GOOD, {"sequences_per_step": 2}, sequences_per_step=None)
told("leave out --input-format", "a.npy", saved(IDS), {"input_format": "csv"}, input_format="auto", tokenizer="none")
told("name it with --input-format, as text", "a.strange", "one\ntwo\n", {}, input_format="text")
told("name it with --input-format, as text", "data", "one\ntwo\n", {}, input_format="lines")
told("if that is meant, name what it is with --input-format", "a.txt", "one\0two", {}, input_format="text")
told("name what its members are with --input-format, or unpack it", "a.zip", zipped({"a.odd": b"one"}), {}, input_format="text")
told("--input-format {})", "a.u32", bytes(6), {"input_format": "u32", "tokenizer": "none"}, input_format="u16")
told("words numbers the words of a text by itself: name the tokenizer that made the ids, or none", "a.bin", IDS.tobytes(),
     {"input_format": "u16", "tokenizer": "words", "separator": 0}, tokenizer="none")  # fmt: skip
told("or pass over it with --on-error skip", "a.jsonl", '{"text": "a long one"}\n{"text": "b"}\n', {"shard_tokens": 5},
     on_error="skip")  # fmt: skip
told("or pass over such records with --on-error skip", "a.jsonl", GOOD + "{\n", {}, on_error="skip")
told("give each column its own name", "a.csv", "text,text\na,b\n", {}, corpus="a2.csv")


@case("are too little for a build: give it {} MiB or more")
def too_little_memory(folder: Path) -> Refused:
    least = re.compile(r"give it ([\d,]+) MiB or more")

    def follow(said: str) -> dict[str, Any]:
        match = least.search(said)
        assert match is not None
        return {"memory": f"{match[1].replace(',', '')}MiB"}

    return Refused({"corpus": file(folder, "a.jsonl", GOOD), "memory": "1MiB"}, follow)


@case("--memory raises it")
def a_record_beyond_the_budget(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", json.dumps({"text": "x" * 999}) + "\n")

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(construct, "record_bytes", lambda memory: 99)

    return Refused({"corpus": path, "patch": patch}, lambda said: {"memory": "4GiB"})


# ---- files ---------------------------------------------------------------------------------------------------------

UTF16 = "one two".encode("utf-16-le")
mended("write it as UTF-8 (iconv -f UTF-16LE -t UTF-8)", "a.txt", UTF16, UTF16.decode("utf-16-le"))
mended("; mend it, or pass over such", "a.jsonl", GOOD + '{"text": \n', GOOD)
mended("write one line with the names of the columns first", "a.csv", '"a"b\n1\n', "text\n1\n")
mended("give each column its own name", "a.csv", "text,text\na,b\n", "text,other\na,b\n")
mended("double a quote that is meant as one", "a.csv", 'text\n"one\nthree\n', 'text\n"""one"\nthree\n')
mended("fetch the file again", "a.json", '[{"text": "one"},\n', '[{"text": "one"}]\n')
mended("cut short or damaged ({}); fetch it again", "a.jsonl.gz", gzip.compress(GOOD.encode())[:-9], gzip.compress(GOOD.encode()))
mended("is compressed {} times over: unpack it first", "a.jsonl", packed(GOOD.encode(), 9), GOOD)
mended("which is not read of {}: unpack it first", "a.npy.gz", gzip.compress(saved(IDS)), saved(IDS), "a.npy", tokenizer="none")
mended("is a damaged zip file, or of a kind that is not read ({}): unpack it first", "a.zip", zipped({"a.jsonl": b"{}"})[:-9],
       GOOD, "a.jsonl")  # fmt: skip
mended("is a damaged tar file ({}): fetch it again", "a.tar", tarred({"a.jsonl": GOOD.encode()})[:700] + bytes(100),
       tarred({"a.jsonl": GOOD.encode()}))  # fmt: skip
mended("save it as array.astype('uint32')", "a.npy", saved(IDS.astype(float)), saved(IDS.astype("uint32")), tokenizer="none")
mended("save it as array.reshape(-1)", "a.npy", saved(IDS[None]), saved(IDS[None].reshape(-1)), tokenizer="none")
mended("it was cut short or written to; save it again", "a.npy", saved(IDS)[:-2], saved(IDS), tokenizer="none")
mended("is a damaged .npy file: {}; save it again", "a.npy", saved(IDS)[:8] + b"\xff" * 99, saved(IDS), tokenizer="none")
mended("which is read of files alone: unpack {} first", "a.zip", zipped({"a.jsonl": saved(IDS)}), GOOD, "a.jsonl")
for signature in {one.remedy: one for one in SIGNATURES}.values():
    head = bytes(signature.at) + signature.magic + b"\0\xff" * 40
    mended(signature.remedy, "a.txt", head, "its text")


@case("its member {} is encrypted: unpack it first")
def an_encrypted_member(folder: Path) -> Refused:
    content = bytearray(zipped({"a.jsonl": GOOD.encode()}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    path = file(folder, "a.zip", bytes(content))
    return Refused({"corpus": path}, lambda said: {"corpus": file(folder, "a.jsonl", GOOD)})


@case("or unpack it")
def members_of_no_known_kind(folder: Path) -> Refused:
    path = file(folder, "a.zip", zipped({"a.odd": GOOD.encode()}))

    def follow(said: str) -> dict[str, Any]:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / "unpacked")
        return {"corpus": folder / "unpacked" / "a.odd", "input_format": "jsonl"}

    return Refused({"corpus": path}, follow)


@case("is no readable {} file: {}; fetch it again")
def a_damaged_parquet_file(folder: Path) -> Refused:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = folder / "a.parquet"
    pyarrow.parquet.write_table(pa.table({"text": ["one", "two"]}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    return Refused({"corpus": path}, lambda said: (path.write_bytes(whole) and {}) or {})


def saved_dataset(folder: Path) -> Path:
    """What ``save_to_disk`` writes."""
    pa = pytest.importorskip("pyarrow")
    made = folder / "saved"
    made.mkdir(exist_ok=True)
    table = pa.table({"text": ["one", "two"]})
    with pa.OSFile(str(made / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    file(made, "dataset_info.json", "{}")
    file(made, "state.json", json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    return made


@case("lists; save the dataset again")
def a_dataset_that_lacks_a_file(folder: Path) -> Refused:
    made = saved_dataset(folder)
    (made / "data.arrow").unlink()
    return Refused({"corpus": made}, lambda said: {"corpus": saved_dataset(folder)})


@case("its JSON files are damaged; save it again")
def a_dataset_whose_state_is_damaged(folder: Path) -> Refused:
    made = saved_dataset(folder)
    file(made, "state.json", "[" * 100_000)
    return Refused({"corpus": made}, lambda said: {"corpus": saved_dataset(folder)})


@case("run the build again with --restart when nothing writes to it")
def a_source_that_changes(folder: Path) -> Refused:
    path = write_jsonl(folder / "a.jsonl", ["one", "two"])

    def touch(monkeypatch: pytest.MonkeyPatch) -> None:
        really = state.BuildState.write

        def write(self: state.BuildState, index: Path) -> None:
            really(self, index)
            os.utime(path, ns=(1, 1))

        monkeypatch.setattr(state.BuildState, "write", write)

    return Refused({"corpus": path, "patch": touch}, lambda said: {})


# ---- several inputs, or none -------------------------------------------------------------------------------------


@case("the corpus is text and ids at once: build an index of each")
def text_and_ids(folder: Path) -> Refused:
    text, ids = file(folder, "a.jsonl", GOOD), file(folder, "a.npy", saved(IDS))
    return Refused({"corpus": [text, ids], "tokenizer": "none"}, lambda said: {"corpus": text, "tokenizer": "bytes"})


@case("is named twice")
def a_file_twice(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", GOOD)
    return Refused({"corpus": [path, path]}, lambda said: {"corpus": [path]})


@case("is an index, name what it was built of")
def an_index_as_a_corpus(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", GOOD)
    si.build(path, folder / "other", tokenizer="words", progress=False)
    return Refused({"corpus": folder / "other" / "vocabulary.txt"}, lambda said: {"corpus": path})


@case("holds no file of a known kind (.jsonl")
def a_folder_of_other_things(folder: Path) -> Refused:
    (folder / "data").mkdir()
    path = file(folder / "data", "a.odd", GOOD)
    return Refused({"corpus": folder / "data"}, lambda said: {"corpus": path.rename(path.with_suffix(".jsonl")).parent})


@case("for a Hugging Face dataset write hf:")
def a_name_that_is_no_file(folder: Path) -> Refused:
    return Refused({"corpus": "owner/dataset"}, lambda said: {"corpus": file(folder, "a.jsonl", GOOD)})


# ---- URLs ----------------------------------------------------------------------------------------------------------

SERVERS: list[Server] = []


@pytest.fixture(scope="module", autouse=True)
def servers_end() -> Iterator[None]:
    yield
    while SERVERS:
        SERVERS.pop().close()


def at_url(advice: str, name: str, content: bytes, follow: Callable[[Server, Path], dict[str, Any]], **manner: Any) -> None:
    """A file that a server gives in a manner that is refused."""

    def prepare(folder: Path) -> Refused:
        pytest.importorskip("aiohttp", reason="the extra remote is not installed")
        (folder / "served").mkdir()
        server = Server(folder / "served", Manner(**manner))
        SERVERS.append(server)
        path = file(server.folder, name, content)

        def patch(monkeypatch: pytest.MonkeyPatch) -> None:
            monkeypatch.setattr(problems, "FIRST_SECONDS", 0.0)
            monkeypatch.setattr(problems, "TRIES", 2)

        return Refused({"corpus": f"{server.url}/{name}", "patch": patch}, lambda said: follow(server, path))

    CASES[f"{advice[:50]} ({name}, {len(CASES)})"] = advice, prepare


def mannerly(server: Server, path: Path) -> dict[str, Any]:
    server.manner.drop_after, server.manner.password = None, None
    server.manner.statuses.clear()
    return {}


at_url(
    "fetch it, and name the file", "a.zip", zipped({"a.jsonl": GOOD.encode()}), lambda server, path: {"corpus": path}, ranges=False
)
at_url("fetch its .idx and .bin, and name the .idx", "a.idx", b"MMIDIDX", lambda server, path: {"corpus": written_beside(path)})
at_url("check the address and the connection, then run the", "a.jsonl", GOOD.encode(), mannerly, statuses={"/a.jsonl": [503] * 99})
at_url("check the password in it; one that is signed", "a.jsonl", GOOD.encode(), mannerly, password="another")
at_url("more tries brought nothing ({}): run the same", "a.jsonl", GOOD.encode(), mannerly, drop_after=0)


def written_beside(path: Path) -> Path:
    return write_megatron(path.parent / "b", [[1, 2, 3], [4, 5, 6]])


@case("give it as text: a Path makes one slash of two")
def a_url_that_went_through_a_path(folder: Path) -> Refused:
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    (folder / "served").mkdir()
    SERVERS.append(Server(folder / "served", Manner()))
    file(folder / "served", "a.jsonl", GOOD)
    url = f"{SERVERS[-1].url}/a.jsonl"
    return Refused({"corpus": Path(url)}, lambda said: {"corpus": url})


@case("reads {}://; fetch the files by other means")
def a_scheme_that_nothing_reads(folder: Path) -> Refused:
    return Refused({"corpus": "nothing://a/b.jsonl"}, lambda said: {"corpus": file(folder, "a.jsonl", GOOD)})


# ---- Megatron ----------------------------------------------------------------------------------------------------


def megatron(advice: str, spoil: Callable[[Path, bytes], object], follow: Callable[[Path], dict[str, Any]] | None = None) -> None:
    def prepare(folder: Path) -> Refused:
        path = write_megatron(folder / "x", [[1, 2, 3], [4, 5, 6]])
        whole, tokens = path.read_bytes(), path.with_suffix(".bin").read_bytes()
        spoil(path, whole)

        def again(said: str) -> dict[str, Any]:
            if follow is not None:
                return follow(path)
            path.write_bytes(whole)
            path.with_suffix(".bin").write_bytes(tokens)
            return {"corpus": path}

        return Refused({"corpus": path, "tokenizer": "none"}, again)

    CASES[f"Megatron: {advice[:50]} ({len(CASES)})"] = advice, prepare


def patched(at: int, dtype: str, value: int) -> Callable[[Path, bytes], object]:
    def spoil(path: Path, whole: bytes) -> None:
        content = bytearray(whole)
        np.frombuffer(content, dtype, 1, HEADER_BYTES + at)[0] = value
        path.write_bytes(content)

    return spoil


megatron("it was cut short; fetch it again", lambda path, whole: path.write_bytes(whole[:-3]))
megatron("or is of a newer kind; make it anew", lambda path, whole: path.write_bytes(whole + b"\0" * 5))
megatron("make a dataset of the text", lambda path, whole: path.write_bytes(whole + b"\1\1"))
megatron("one was cut short or is missing; fetch it again", lambda path, whole: os.truncate(path.with_suffix(".bin"), 11))
megatron("has no tokens beside it: expected", lambda path, whole: path.with_suffix(".bin").unlink())
megatron("the table is damaged; fetch it again", patched(0, "<i4", -1))
megatron("the table is damaged; fetch it again", patched(16, "<i8", 7))
megatron("its .bin files hold {}: one was cut short or is missing; fetch it again", patched(4, "<i4", 99))
DOCUMENTS = "take sequences as documents, with --sequences-per-step, or fetch it again"
megatron(DOCUMENTS, patched(24, "<i8", 1), lambda path: {"sequences_per_step": 1})
megatron(DOCUMENTS, patched(32, "<i8", 9))
megatron("it does not begin with MMIDIDX", lambda path, whole: path.write_bytes(b"x" + whole))
megatron(
    "name a Megatron dataset by its index, beside which its .bin files lie",
    lambda path, whole: None,
)
megatron("make it anew with --dataset-impl mmap", lambda path, whole: path.write_bytes(b"TNTIDX\0\0" + whole))
megatron(
    "some are missing; fetch them again",
    lambda path, whole: [path.with_suffix(".bin").rename(path.with_name("x-00000-of-00003.bin"))],
)


# ---- tokenizers --------------------------------------------------------------------------------------------------


def tokenizers(advice: str, spoil: Callable[[Path], Any]) -> None:
    def prepare(folder: Path) -> Refused:
        (folder / "tokenizer").mkdir()
        path = write_tokenizer(folder / "tokenizer", "one two three", size=270)
        whole = path.read_bytes()
        named = spoil(path)

        def follow(said: str) -> dict[str, Any]:
            path.write_bytes(whole)
            return {"tokenizer": str(path)}

        return Refused({"corpus": file(folder, "a.jsonl", GOOD), "tokenizer": str(named or path)}, follow)

    CASES[f"tokenizer: {advice[:50]}"] = advice, prepare


def absurd(path: Path) -> None:
    content = json.loads(path.read_bytes())
    content["model"]["vocab"]["a"] = 2**31
    path.write_text(json.dumps(content))


tokenizers("the file is damaged; save the tokenizer again", absurd)
tokenizers("save the tokenizer again, or update", lambda path: path.write_text('{"model": 5}') and None)
tokenizers("give the folder or file that has it, or save it with transformers'", lambda path: path.unlink() or path.parent)
tokenizers("give a {}, a folder that has one, or a name like", lambda path: path.with_name("other.json"))
tokenizers("cannot be read as a {}", lambda path: path.write_bytes(b"\xe9") and None)


# ---- folders -----------------------------------------------------------------------------------------------------


@case("is a file: an index is a folder, choose another path")
def the_index_is_a_file(folder: Path) -> Refused:
    return Refused(
        {"corpus": file(folder, "a.jsonl", GOOD), "index": file(folder, "index", "mine")}, lambda said: {"index": folder / "other"}
    )


@case("which is no part of an index: choose another folder")
def something_beside_an_index(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", GOOD)
    si.build(path, folder / "index", tokenizer="words", progress=False)
    file(folder / "index", "mine.txt", "mine")
    return Refused({"corpus": path, "restart": True}, lambda said: {"index": folder / "other", "restart": False})


@case("is not empty and holds no index: choose another folder")
def a_folder_of_something_else(folder: Path) -> Refused:
    (folder / "index").mkdir()
    file(folder / "index", "mine.txt", "mine")
    return Refused({"corpus": file(folder, "a.jsonl", GOOD)}, lambda said: {"index": folder / "other"})


@case("choose another folder, or throw it away with --restart")
def an_index_of_other_settings(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", GOOD)
    si.build(path, folder / "index", tokenizer="words", progress=False)
    return Refused({"corpus": path}, lambda said: {})


@case("remove it, nothing depends on it")
def a_damaged_provenance(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", GOOD)
    si.build(path, folder / "index", tokenizer="bytes", progress=False)
    damaged = file(folder / "index", "provenance.json", '{"seconds": 5}')
    return Refused({"corpus": path}, lambda said: damaged.unlink() or {})


@case("{}: start anew with --restart")
def a_damaged_index(folder: Path) -> Refused:
    path = file(folder, "a.jsonl", GOOD)
    si.build(path, folder / "index", tokenizer="bytes", progress=False)
    (folder / "index" / "shards" / "00000" / "tokens.u8").unlink()
    return Refused({"corpus": path}, lambda said: {})


# ---- all of them -------------------------------------------------------------------------------------------------


def run(call: dict[str, Any], folder: Path, **more: Any) -> None:
    options = {"index": folder / "index", "tokenizer": "bytes", "progress": False, **call, **more}
    if options["tokenizer"] == "HF":
        options["tokenizer"] = str(write_tokenizer(folder, "one two three", size=270))
    si.build(**{name: value for name, value in options.items() if value is not None})


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("name", CASES)
def test_the_advice_ends_in_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    advice, prepare = CASES[name]
    call, follow = prepare(tmp_path)
    with monkeypatch.context() as patching:
        if patch := call.pop("patch", None):
            patch(patching)
        if "name a Megatron" in advice:
            call["corpus"], call["input_format"] = call["corpus"].with_suffix(".bin"), "megatron"
        with pytest.raises(si.SuffixIndexError, match=".*".join(map(re.escape, advice.split("{}")))) as caught:
            run(call, tmp_path)
    said = str(caught.value)
    changed = follow(said)
    if changed.get("corpus") == "a2.csv":
        changed["corpus"] = file(tmp_path, "a2.csv", "text,more\na,b\n")
    call = {**call, "restart": "--restart" in said, **changed}
    run(call, tmp_path)
    built = call.get("index", tmp_path / "index")
    assert si.open(built).num_documents > 0
    si.verify(built, full=True)
    run({**call, "index": tmp_path / "undisturbed", "restart": False}, tmp_path)
    assert content_of(built) == content_of(tmp_path / "undisturbed")


PLACES = ("building", "corpus", "remote", "tokenizers", "construct.py", "system/memory.py", "gpu_sort/device.py")
ADVICE = re.compile(
    r"--[a-z]|[;:,] (or )?(fetch|save|mend|unpack|make|write|give|name|choose|leave|take|use|wait|free|remove|build|run|start|"
    r"update|install|pip|extract|export|repair|ask|check|connect|double)\b|expected (one of|raise or|1 or more)"
)
ELSEWHERE = {
    "report the excerpt to the authors": "test_advice: engines that differ",
    "it was made by another tokenizer": "test_advice: ids get their separator or tokenizer",
    "raise --memory or --shard-tokens, and start anew": "test_advice: shards are made larger",
    "free some, then run the same command": "test_faults: a full disk",
    "nothing of it is kept, run the same command again": "test_combined: a merge without room",
    "is there and not empty: choose another folder for the new index": "test_combined, test_removing: another folder",
    "wait for it, or choose another folder": "test_build: a second build of the same folder",
    "is damaged: start anew with --restart": "test_advice: what is damaged is thrown away, test_state",
    "than when the build was interrupted: start anew": "test_build: files shorter than the checkpoint",
    "tokens, expected {}: start anew with --restart": "test_advice: what is damaged is thrown away",
    "does not fit the files beside it: start anew": "test_state: a hostile state",
    "if the corpus or another setting is changed, start anew with --restart": "test_advice: what each follows",
    "is finished already: no input was read; --restart": "said of an index that is there",
    "write those one a line, as jq": "test_formats: records inside a field",
    "is cut short: start anew with --restart": "tests of builds on a cluster",
    "holds a build that a cluster left unfinished": "tests of builds on a cluster",
    "a corpus of token ids is built on one machine: leave out": "tests of builds on a cluster",
    "threads are set where the workers of a cluster are started": "tests of builds on a cluster",
    "use the same Python everywhere": "tests of builds on a cluster",
    "as iconv -t UTF-8 does": "said of questions and tokenizer files",
    "pip install": "needs a package that is not there",
    "ask for access on huggingface.co": "needs the hub",
    "check the name, or run hf auth login": "needs the hub",
    "check the revision": "needs the hub",
    "once, or give the path of a": "needs the hub",
    "name a model with a fast tokenizer": "needs the hub",
    "--device auto takes what there is": "needs a GPU",
    "which is read of files alone: write it to one first": "test_formats: a pipe",
    "changed while it was read: it was cut short; fetch it again": "test_megatron: tokens that are cut short while they are read",
    ", or a .bin file of it, changed while it was read": "as of a source that changes",
    "repair or drop the document": "refused as a bad record before it comes to a tokenizer",
    "ask without it, or ask with ids": "a question",
    "suffixindex adopt INDEX --tokenizer": "a question",
    "update suffixindex": "an index of a later version",
    "a member has no name: the archive is damaged": "test_limits: Python packs no such archive",
    "name them to index them": "said of a folder; naming them is another corpus",
}
"""Advice of which no case is made here, and why."""


def texts(node: ast.AST) -> Iterator[str]:
    """The string literals of a module but docstrings, with ``{}`` where something is filled in."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):
            continue
        if isinstance(inner, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in inner.values)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value
        else:
            yield from texts(inner)


def test_no_advice_is_forgotten() -> None:
    package = Path(si.__file__).parent
    paths = [path for place in PLACES for path in ([package / place] if place.endswith(".py") else (package / place).rglob("*.py"))]
    advice = {
        text for path in paths for text in texts(ast.parse(path.read_text(encoding="utf-8"))) if ADVICE.search(text) and " " in text
    }
    followed = {advice for advice, _ in CASES.values()} | set(ELSEWHERE)
    assert len(advice) > 60
    assert [text for text in sorted(advice) if not any(part in text for part in followed)] == []
    idle = [part for part in sorted(ELSEWHERE) if not any(part in text for text in advice)]
    assert idle == [], f"in no sentence: {idle}"
