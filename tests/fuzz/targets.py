"""What is fuzzed: each target makes its seeds once in a folder, and tries one input a seed there."""

import bz2
import csv
import gzip
import importlib.util
import io
import json
import lzma
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from unittest import mock

import numpy as np

import suffixindex as si
from suffixindex.building import job, team
from suffixindex.corpus import lines
from tests.fuzz import seeds
from tests.fuzz.mutation import damaged, damaged_json, same_size
from tests.fuzz.questions import ask, drawn, standard
from tests.helpers import building
from tests.helpers.foreign_building import write_megatron
from tests.suffixindex.corpus.test_formats import tarred, zipped

OTHERS = ("manifest.json", "build.lock")
"""Files that another target damages, or that say nothing."""
SILENT = ("tokenized", "metadata", "x.bin", "answers.json")
"""Files of other engines, which have no hashes: text that is changed into other text is not noticed, nor other answers."""
KEY = re.compile(r"^[0-9a-f]{16}\.")


class Find(Exception):
    """Something that ended neither in an answer nor in one of our errors."""


class Target:
    """Try an input: ``attempt(seed)`` returns the outcome in a few words, and which part was damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepare()

    def prepare(self) -> None:
        """Make the seeds."""

    def attempt(self, seed: int) -> tuple[str, str]:
        raise NotImplementedError

    def fresh(self, name: str) -> Path:
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        return path


class Indexes(Target):
    """Every file of an index, damaged: whatever is asked ends in an answer or an error, and verify finds what changes one."""

    kinds = seeds.OURS

    def prepare(self) -> None:
        os.environ["SUFFIXINDEX_CACHE"] = str(self.folder / "cache")
        self.make(self.fresh("now"))
        shutil.copytree(self.folder / "now", self.folder / "whole")
        self.expected = {}
        for kind in self.kinds:
            with si.open(self.folder / "now" / kind, threads=2) as index:
                self.expected[kind] = {name: ask(index, question) for name, question in standard(index).items()}

    def make(self, folder: Path) -> None:
        seeds.make_ours(folder)

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        kind = rng.choice(self.kinds)
        path = self.fresh("now") / kind
        shutil.copytree(self.folder / "whole" / kind, path)
        files = sorted(one for one in path.rglob("*") if one.is_file() and one.name not in OTHERS)
        file = rng.choice(files)
        status = file.stat()
        whole = file.read_bytes()
        file.write_bytes(same_size(whole, rng) if rng.random() < 0.75 else damaged(whole, rng))
        if rng.random() < 0.5:  # what was made for other engines' files goes by their times
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        where = f"{kind}/{KEY.sub('', file.name)}"
        if file.read_bytes() == whole:
            return "unchanged", where
        wrong, refused = self.answers(path, kind)
        if refused == "open":
            return "refused by open", where
        try:
            si.verify(path, full=True)
        except si.SuffixIndexError:
            return ("wrong answers, found by verify --full" if wrong else "refused" if refused else "right answers, found"), where
        if wrong and not (kind in seeds.FOREIGN and file.name.startswith(SILENT)):
            raise Find(f"{where}: verify --full does not find what changes {', '.join(wrong)}")
        return ("other text" if wrong else "refused though verified" if refused else "right answers"), where

    def answers(self, path: Path, kind: str) -> tuple[list[str], str]:
        """The questions that are answered otherwise than by the whole index, and whether any is refused."""
        wrong, refused = [], ""
        try:
            index = si.open(path, threads=2)
        except si.SuffixIndexError:
            return [], "open"
        with index:
            for name, question in standard(index).items():
                found = ask(index, question)
                if found != self.expected[kind][name] and repr(found) != repr(self.expected[kind][name]):
                    if found == "FormatError":
                        refused = "question"
                    else:
                        wrong.append(name)
            ask(index, lambda index: index.info())
        return wrong, refused


class ForeignIndexes(Indexes):
    """Every file of other engines' indexes, and what was made beside them."""

    kinds = seeds.FOREIGN

    def make(self, folder: Path) -> None:
        seeds.make_foreign(folder)
        for kind in self.kinds:
            said = {"separator": 0} if kind == "tokengrams" else {"token_type": "u16"}
            with si.open(folder / kind, vocabulary_size=5, **said) as index:
                index.counts([[1], [2]] * 5000)
                index.document_counts([[1], [2]] * 100)


class Manifests(Target):
    """Manifests, markers and provenance of right form and hostile content, with the right hash."""

    def prepare(self) -> None:
        seeds.make_ours(self.folder)

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        kind = rng.choice(seeds.OURS)
        path = self.fresh("damaged")
        shutil.copytree(self.folder / kind, path)
        name = rng.choice(["manifest.json"] * 6 + ["shards/00000/shard.json", "provenance.json"])
        file = path / name
        if not file.exists():
            return "not there", name
        if rng.random() < 0.15:
            file.write_bytes(damaged(file.read_bytes(), rng))
        else:
            content = json.loads(file.read_bytes())
            content.pop("sha256", None)
            for _ in range(rng.choice((1, 1, 2, 4))):
                content = damaged_json(content, rng)
            if isinstance(content, dict) and name == "manifest.json":
                compact = json.dumps(content, sort_keys=True, separators=(",", ":"))
                content["sha256"] = sha256(compact.encode()).hexdigest()
            file.write_text(json.dumps(content))
        try:
            with si.open(path, threads=2) as index:
                for question in standard(index).values():
                    ask(index, question)
                ask(index, lambda index: index.info())
                repr(index)
        except si.SuffixIndexError:
            return "refused", name
        finally:
            _verify(path)
        return "answered", name


class Builds(Target):
    """A corpus that is built, refused, or partly skipped; what is built is in order."""

    suffix = "jsonl"

    def content(self) -> bytes:
        return seeds.jsonl()

    def prepare(self) -> None:
        self.seed_content = self.content()

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        folder = self.fresh("corpus")
        folder.mkdir()
        corpus = folder / f"corpus.{self.suffix}"
        corpus.write_bytes(damaged(self.seed_content, rng))
        return self.build(corpus, rng, tokenizer=rng.choice(["words", "bytes"])), self.suffix

    def build(self, corpus: Path, rng: Random, **options: Any) -> str:
        """Build, and check what was built; what became of it."""
        path, on_error = corpus.parent / "index", rng.choice(["raise", "skip"])
        try:
            si.build(corpus, path, on_error=on_error, shard_tokens=500, progress=False, **options)
        except si.SuffixIndexError as error:
            return f"refused: {type(error).__name__}"
        with si.open(path, threads=2) as index:
            if index.count([]) != index.num_tokens:
                raise Find(f"{index!r} counts {index.count([])} tokens")
        si.verify(path, full=True)
        return f"built, {on_error}"


class States(Target):
    """What an unfinished build keeps, damaged: the build ends in an index that is in order, or in one of our errors."""

    options: ClassVar[dict[str, Any]] = {"tokenizer": "words", "shard_tokens": 60, "progress": False, "checkpoint_seconds": 0}

    def prepare(self) -> None:
        self.corpus = self.folder / "corpus.jsonl"
        self.corpus.write_bytes(seeds.jsonl())
        with mock.patch.object(lines, "READ_BYTES", 500), mock.patch.object(team, "BATCH_BYTES", 1):
            for name, stage in (("encoding", (job.Job, "encoded")), ("sorting", (job, "_sort"))):
                with mock.patch.object(*stage, side_effect=KeyboardInterrupt), suppress(KeyboardInterrupt):
                    si.build(self.corpus, self.folder / name, **self.options)

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        stage = rng.choice(["encoding", "sorting"])
        path = self.fresh("now")
        shutil.copytree(self.folder / stage, path)
        state = path / "build.json"
        if rng.random() < 0.2:
            state.write_bytes(damaged(state.read_bytes(), rng))
        else:
            state.write_text(json.dumps(damaged_json(json.loads(state.read_bytes()), rng)))
        try:
            si.build(self.corpus, path, **self.options)
        except si.SuffixIndexError as error:
            return f"refused: {type(error).__name__}", stage
        si.verify(path, full=True)
        return "built", stage


class Parquets(Builds):
    """Parquet files."""

    suffix = "parquet"

    def content(self) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        records = [json.loads(line) for line in seeds.jsonl().splitlines()]
        path = self.folder / "seed.parquet"
        pq.write_table(pa.Table.from_pylist(records), path, row_group_size=9)
        return path.read_bytes()


class Containers(Builds):
    """Files of every other kind that is read: tables, arrays, archives, and what is compressed."""

    def prepare(self) -> None:
        rows = [json.loads(line) for line in seeds.jsonl().splitlines()]
        table = io.StringIO()
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        ids = io.BytesIO()
        np.save(ids, (np.arange(400) % 7).astype("<u2"))
        records, sheet = seeds.jsonl(), table.getvalue().encode()
        self.files = {
            "a.csv": sheet,
            "a.tsv": sheet.replace(b",", b"\t"),
            "a.json": json.dumps(rows, indent=1).encode(),
            "a.jsonl.gz": gzip.compress(records),
            "a.jsonl.bz2": bz2.compress(records),
            "a.jsonl.xz": lzma.compress(records),
            "a.zip": zipped({"a.jsonl": records, "b.csv": sheet}),
            "a.tar": tarred({"a.jsonl": records, "b.csv": sheet}),
            "a.tgz": tarred({"a.jsonl": records}, "w:gz"),
            "a.npy": ids.getvalue(),
        }
        if importlib.util.find_spec("zstandard"):
            import zstandard

            self.files["a.jsonl.zst"] = zstandard.compress(records)

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        folder = self.fresh("corpus")
        folder.mkdir()
        name = rng.choice(sorted(self.files))
        (folder / name).write_bytes(damaged(self.files[name], rng))
        tokenizer = "none" if name.endswith(".npy") else "words"
        return self.build(folder / name, rng, tokenizer=tokenizer), name


class Megatrons(Builds):
    """Datasets of Megatron: the table and the tokens, their sequences or their documents."""

    def prepare(self) -> None:
        rng = Random(3)
        sequences = [[rng.randrange(9) for _ in range(rng.randrange(12))] for _ in range(40)]
        write_megatron(self.folder / "whole" / "x", sequences, documents=[0, 1, 1, 5, 20, 40])

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        folder = self.fresh("corpus")
        shutil.copytree(self.folder / "whole", folder)
        name = rng.choice(["x.idx", "x.idx", "x.idx", "x.bin"])
        content = (folder / name).read_bytes()
        (folder / name).write_bytes((same_size if rng.random() < 0.7 else damaged)(content, rng))
        steps = rng.choice([None, 1, 3])
        return self.build(folder / "x.idx", rng, tokenizer="none", sequences_per_step=steps), name


class Tokenizers(Target):
    """Tokenizer files of hostile content."""

    def prepare(self) -> None:
        self.file = building.write_tokenizer(self.folder, " ".join(seeds.TEXTS), size=300)
        self.corpus = self.folder / "corpus.jsonl"
        self.corpus.write_bytes(seeds.jsonl())

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        folder = self.fresh("tokenizer")
        folder.mkdir()
        path = folder / "tokenizer.json"
        how = "bytes" if rng.random() < 0.3 else "entries"
        if how == "bytes":
            path.write_bytes(damaged(self.file.read_bytes(), rng))
        else:
            content = json.loads(self.file.read_bytes())
            for _ in range(rng.choice((1, 1, 2))):
                content = damaged_json(content, rng)
            path.write_text(json.dumps(content))
        try:
            si.build(self.corpus, folder / "index", tokenizer=str(path), progress=False)
            with si.open(folder / "index", threads=2) as index:
                index.count("row row")
            si.verify(folder / "index", full=True)
        except si.SuffixIndexError as error:
            return f"refused: {type(error).__name__}", how
        return "built", how


class Queries(Target):
    """Drawn arguments of every public method, of whole indexes."""

    def prepare(self) -> None:
        seeds.make_ours(self.folder)
        self.indexes = [si.open(self.folder / kind, threads=2) for kind in seeds.OURS]

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        index = rng.choice(self.indexes)
        answer = ask(index, drawn(rng, index))
        return ("refused" if isinstance(answer, str) and answer.endswith("Error") else "answered"), index.path.name


def _served(folder: Path) -> Target:
    from tests.fuzz.served import Served  # needs the extra serve

    return Served(folder)


def _verify(path: Path) -> None:
    try:
        si.verify(path, full=True)
    except si.SuffixIndexError:
        return


TARGETS: dict[str, Callable[[Path], Target]] = {
    "index": Indexes,
    "foreign": ForeignIndexes,
    "manifest": Manifests,
    "state": States,
    "queries": Queries,
    "served": _served,
    "jsonl": Builds,
    "parquet": Parquets,
    "container": Containers,
    "megatron": Megatrons,
    "tokenizer": Tokenizers,
}
NEEDS = {"served": "fastapi", "parquet": "pyarrow", "tokenizer": "tokenizers"}
"""Packages without which a target is left out."""
