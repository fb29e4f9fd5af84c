"""Hugging Face tokenizers: the fast engine gives the ids of ``tokenizers``, or is not used."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

tokenizers = pytest.importorskip("tokenizers", reason="the extra hf is not installed")

from suffixindex.errors import MissingDependencyError, QueryError, TokenizerError  # noqa: E402
from suffixindex.tokenizers import engine_differences, huggingface  # noqa: E402
from suffixindex.tokenizers.batches import BatchTokenizer  # noqa: E402
from suffixindex.tokenizers.huggingface import HuggingFaceTokenizer  # noqa: E402
from tests.helpers.pipelines import DOCUMENTS, FAST, SLOW, TEXTS, byte_level, with_added  # noqa: E402


@pytest.fixture(scope="module")
def fast() -> dict[str, BatchTokenizer]:
    pytest.importorskip("fastokens")
    loaded = {name: BatchTokenizer.from_json(json.dumps(build())) for name, build in FAST.items()}
    for name, tokenizer in loaded.items():
        assert tokenizer.fallback_reason is None, name
        assert tokenizer.engine.startswith("fastokens ")
    return loaded


def reference_ids(pipeline: str, texts: list[str]) -> list[list[int]]:
    """What ``tokenizers`` gives a text without special tokens around it, whatever the file says of truncation."""
    content = json.loads(pipeline) | {"truncation": None, "padding": None}
    content["model"]["dropout"] = None
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def batch_ids(tokenizer: BatchTokenizer, texts: list[str]) -> list[list[int]]:
    ids, lengths = tokenizer.encode_batch(texts)
    assert ids.dtype == np.uint32 and lengths.dtype == np.int64
    assert len(lengths) == len(texts) and lengths.sum() == len(ids)
    return [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])] if texts else []


@settings(max_examples=150, deadline=None)
@given(texts=DOCUMENTS)
def test_fast_equals_reference(fast: dict[str, BatchTokenizer], texts: list[str]) -> None:
    for name, tokenizer in fast.items():
        expected = [tokenizer.encode(text).tolist() for text in texts]
        assert batch_ids(tokenizer, texts) == expected, name


@pytest.mark.parametrize("name", FAST)
def test_encode_is_tokenizers(fast: dict[str, BatchTokenizer], name: str) -> None:
    texts = [*TEXTS, "", " ", "\x00", "a\x00b", "<|endoftext|> x <|endoftext|>", *engine_differences.PROBES]
    expected = reference_ids(fast[name].to_json(), texts)
    assert [fast[name].encode(text).tolist() for text in texts] == expected
    assert batch_ids(fast[name], texts) == expected


@pytest.mark.parametrize("name", ["gpt2", "llama2"])
def test_a_plain_tokenizer_encodes_many_texts(fast: dict[str, BatchTokenizer], name: str) -> None:
    tokenizer = HuggingFaceTokenizer.from_json(fast[name].to_json())
    texts = [*TEXTS, "", "x" * huggingface.REFERENCE_BATCH, "\x00"]
    ids, lengths = tokenizer.encode_batch(texts)
    assert ids.tolist() == [i for text in texts for i in tokenizer.encode(text).tolist()]
    assert lengths.tolist() == [len(tokenizer.encode(text)) for text in texts]


def test_a_vocabulary_of_all_bytes_that_text_has_loses_none() -> None:
    pipeline = byte_level()
    vocabulary = pipeline["model"]["vocab"]
    for character in [character for character, byte in huggingface._BYTES.items() if byte in (0xC0, 0xC1) or byte >= 0xF5]:
        vocabulary.pop(character)  # as GPT-NeoX's
    whole = HuggingFaceTokenizer.from_json(json.dumps(pipeline))
    assert not whole._may_lose
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x20000, 97), 0x10FFFF]))
    assert whole.decode(whole.encode(text)) == text
    vocabulary.pop(next(character for character, byte in huggingface._BYTES.items() if byte == 0xF4))
    assert HuggingFaceTokenizer.from_json(json.dumps(pipeline))._may_lose


@pytest.mark.parametrize("name", SLOW)
def test_what_the_fast_engine_does_otherwise_goes_to_the_reference(name: str) -> None:
    pytest.importorskip("fastokens")
    build, reason = SLOW[name]
    tokenizer = BatchTokenizer.from_json(json.dumps(build()))
    assert tokenizer.engine.startswith("tokenizers ")
    assert tokenizer.fallback_reason and tokenizer.fallback_reason.startswith("tokenizers is used")
    assert reason in tokenizer.fallback_reason
    texts = [*TEXTS, "", " 's  <mask> wordy <0x0A>", "x" * huggingface.REFERENCE_BATCH, "y"]
    assert batch_ids(tokenizer, texts) == reference_ids(tokenizer.to_json(), texts)


@pytest.mark.parametrize("name", ["cl100k", "llama3", "gpt2-regex"])
@pytest.mark.parametrize("text", ["\u180e's", "  \u180e", "'ſer", "\u212a\u212a"])
def test_doubtful_characters_are_left_to_the_reference(fast: dict[str, BatchTokenizer], name: str, text: str) -> None:
    texts = ["The text", text, text, "", "of é texts", text]
    assert batch_ids(fast[name], texts) == reference_ids(fast[name].to_json(), texts)
    assert batch_ids(fast[name], [text]) == reference_ids(fast[name].to_json(), [text])


def test_special_tokens_in_text_count_as_themselves_and_none_are_added(fast: dict[str, BatchTokenizer]) -> None:
    tokenizer = fast["neox"]
    assert batch_ids(tokenizer, ["<|endoftext|>", ""]) == [[0], []]
    assert tokenizer.encode("<|endoftext|>").tolist() == [0]
    assert tokenizer.decode([0]) == "<|endoftext|>"


@pytest.mark.parametrize("engine", [None, "tokenizers"])
def test_truncation_padding_and_dropout_of_the_file_are_ignored(engine: str | None) -> None:
    pipeline = byte_level()
    plain = json.dumps(pipeline)
    pipeline["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    pipeline["padding"] = {
        "strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>",
    }  # fmt: skip
    pipeline["model"]["dropout"] = 0.5
    tokenizer = BatchTokenizer.from_json(json.dumps(pipeline), engine=engine)
    expected = reference_ids(plain, TEXTS)
    assert batch_ids(tokenizer, TEXTS) == expected
    assert [tokenizer.encode(text).tolist() for text in TEXTS] == expected


@pytest.mark.parametrize("engine", [None, "tokenizers"])
def test_threads(engine: str | None) -> None:
    tokenizer = BatchTokenizer.from_json(json.dumps(FAST["neox"]()), engine=engine)
    batches = [[f"{i} {text * 5}{i}" for text in TEXTS] for i in range(40)]
    expected = [reference_ids(tokenizer.to_json(), batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda batch: batch_ids(tokenizer, batch), batches)) == expected


def test_a_long_text_is_not_cut(fast: dict[str, BatchTokenizer]) -> None:
    text = "".join(TEXTS) * 300 + " " * 20_000 + "x" * 20_000 + "é'll\n" * 5_000
    for name in ("gpt2", "neox", "llama3", "llama2"):
        assert np.array_equal(fast[name].encode_batch([text])[0], fast[name].encode(text)), name


def test_load_from_file_and_folder(tmp_path: Path) -> None:
    content = json.dumps(byte_level(), indent=1, ensure_ascii=False) + "\r\n"
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content.encode())
    for source in (str(file), str(tmp_path)):
        tokenizer = BatchTokenizer.load(source)
        assert tokenizer.kind == "huggingface"
        assert tokenizer.to_json() == content
        assert tokenizer.revision is None
        again = BatchTokenizer.from_json(tokenizer.to_json())
        assert batch_ids(again, TEXTS) == batch_ids(tokenizer, TEXTS)
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.to_json() == content and copy.encode("suffix").tolist() == tokenizer.encode("suffix").tolist()


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_file_in_the_encoding_that_its_mark_says(tmp_path: Path, codec: str) -> None:
    content = json.dumps(byte_level(), ensure_ascii=False, indent=1)
    for name, raw in (("plain", content.encode()), ("marked", content.replace("\n", "\r\n").encode(codec))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_bytes(raw)
    plain, marked = (BatchTokenizer.load(str(tmp_path / name)) for name in ("plain", "marked"))
    assert marked.to_json().replace("\r\n", "\n") == plain.to_json() == content
    assert marked.encode(TEXTS[1]).tolist() == plain.encode(TEXTS[1]).tolist()


def test_opening_loads_no_engine() -> None:
    tokenizer = BatchTokenizer.from_json(json.dumps(byte_level()))
    assert "reference" not in vars(tokenizer)
    tokenizer.encode("a")
    tokenizer.pieces([0])
    assert tokenizer._fast_choice is None


def test_vocabulary_size_counts_added_tokens_and_holes() -> None:
    pipeline = with_added(byte_level(), ("<|x|>", "special"))
    pipeline["model"]["vocab"]["zzzz"] = 5000
    tokenizer = BatchTokenizer.from_json(json.dumps(pipeline))
    assert tokenizer.vocabulary_size == 5001
    assert tokenizer.pieces([5000, 4999]) == ["zzzz", "<no token 4999>"]
    with pytest.raises(QueryError, match="id 4999 is no token"):
        tokenizer.decode([4999])
    for wrong in (-1, 5001, 1 << 40):
        with pytest.raises(QueryError, match="ids are below 5001"):
            tokenizer.decode([wrong])


@pytest.mark.parametrize("name", ["gpt2", "neox", "llama3"])
def test_decode_gives_back_the_text(fast: dict[str, BatchTokenizer], name: str) -> None:
    for text in (TEXTS[0], TEXTS[1], "<|endoftext|> a", "😀", ""):
        assert fast[name].decode(fast[name].encode(text)) == text


def test_pieces_read_like_text(fast: dict[str, BatchTokenizer]) -> None:
    tokenizer = fast["gpt2"]
    assert "".join(tokenizer.pieces(tokenizer.encode("it's a suffix array\n"))) == "it's a suffix array\n"
    assert " language" in tokenizer.pieces(tokenizer.encode("a language"))
    assert tokenizer.pieces(tokenizer.encode("\U0010ffff")) == [r"\xf4", r"\x8f", r"\xbf", r"\xbf"]
    assert tokenizer.pieces(tokenizer.encode("<|endoftext|>")) == ["<|endoftext|>"]
    llama = fast["llama2"]
    assert "".join(llama.pieces(llama.encode("a language"))) == " a language"
    assert llama.pieces(llama.encode("\U0010ffff"))[1:] == [r"\xf4", r"\x8f", r"\xbf", r"\xbf"]


def test_check_sample(fast: dict[str, BatchTokenizer]) -> None:
    tokenizer = fast["neox"]
    ids, lengths = tokenizer.encode_batch(TEXTS)
    tokenizer.check_sample(TEXTS, ids, lengths)
    tokenizer.check_sample([], ids[:0], lengths[:0])
    wrong = ids.copy()
    wrong[lengths[0] + 7] += 1
    with pytest.raises(
        TokenizerError, match=r"fastokens .* and tokenizers .*\(character \d+\).*--tokenizer-engine tokenizers"
    ) as caught:
        tokenizer.check_sample(TEXTS, wrong, lengths)
    assert str(wrong[lengths[0] + 7]) in str(caught.value) and str(ids[lengths[0] + 7]) in str(caught.value)
    short = lengths.copy()
    short[-1] -= 1
    with pytest.raises(TokenizerError, match="differently"):
        tokenizer.check_sample(TEXTS, ids[:-1], short)


class _Wrong:
    """An engine that encodes nothing right, or fails."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def encode_batch_flat(self, texts: list[str]) -> tuple[bytes, bytes]:
        if self.error:
            raise self.error
        return b"", np.zeros(len(texts) + 1, "<u8").tobytes()


class PanicException(BaseException):
    """Stands for the one of PyO3, which cannot be imported."""


def test_a_probe_that_differs_means_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    fastokens = pytest.importorskip("fastokens")
    monkeypatch.setattr(fastokens, "Tokenizer", type("Tokenizer", (), {"from_json_str": staticmethod(lambda content: _Wrong())}))
    tokenizer = BatchTokenizer.from_json(json.dumps(byte_level()))
    assert tokenizer.fallback_reason and "it differs on" in tokenizer.fallback_reason
    assert batch_ids(tokenizer, TEXTS) == reference_ids(tokenizer.to_json(), TEXTS)


@pytest.mark.parametrize("error", [ValueError("backtrack limit"), PanicException("unwrap")])
def test_a_batch_on_which_the_fast_engine_fails_goes_to_the_reference(error: BaseException) -> None:
    tokenizer = BatchTokenizer.from_json(json.dumps(byte_level()))
    tokenizer._fast_choice = (_Wrong(error), None)
    assert batch_ids(tokenizer, TEXTS) == reference_ids(tokenizer.to_json(), TEXTS)
    tokenizer._fast_choice = (_Wrong(KeyboardInterrupt()), None)
    with pytest.raises(KeyboardInterrupt):
        tokenizer.encode_batch(TEXTS)


@pytest.mark.parametrize("engine", [None, "tokenizers"])
def test_lone_surrogates_are_refused(engine: str | None) -> None:
    tokenizer = BatchTokenizer.from_json(json.dumps(byte_level()), engine=engine)
    with pytest.raises(TokenizerError, match=r"lone surrogate U\+D800 at character 3, after 'abc'"):
        tokenizer.encode_batch(["fine", "abc\ud800"])
    with pytest.raises(TokenizerError, match=r"lone surrogate U\+DFFF at character 0"):
        tokenizer.encode("\udfff")


def test_the_reference_can_be_asked_for() -> None:
    tokenizer = BatchTokenizer.from_json(json.dumps(byte_level()), engine="tokenizers")
    assert tokenizer.engine.startswith("tokenizers ")
    assert tokenizer.fallback_reason == "tokenizers is used: asked for"
    ids, lengths = tokenizer.encode_batch(TEXTS)
    tokenizer.check_sample(TEXTS, ids, lengths)
    with pytest.raises(TokenizerError, match="no tokenizer engine 'quick'"):
        BatchTokenizer.from_json("{}", engine="quick")


def test_without_the_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fastokens", None)
    tokenizer = BatchTokenizer.from_json(json.dumps(byte_level()))
    assert tokenizer.engine.startswith("tokenizers ")
    assert tokenizer.fallback_reason and "fastokens is not installed" in tokenizer.fallback_reason


def test_without_tokenizers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'suffixindex\[hf\]'"):
        BatchTokenizer.from_json("{}").encode("a")


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"model": 3}', '{"version": "1.0", "model": {"type": "BPE"', "[]"])
def test_a_malformed_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(content)
    with pytest.raises(TokenizerError, match=r"is no tokenizer\.json that tokenizers .* can read"):
        BatchTokenizer.load(str(file))


def with_id(where: str, number: Any) -> dict[str, Any]:
    pipeline = byte_level()
    if where == "vocabulary":
        pipeline["model"]["vocab"]["zzzz"] = number
    else:
        pipeline["added_tokens"][0]["id"] = number
    return pipeline


@pytest.mark.parametrize("number", [2**31, 2**32 - 1, 2**32, 2**63, 10**30, 2**24])
@pytest.mark.parametrize("where", ["vocabulary", "added tokens"])
@pytest.mark.parametrize("indent", [None, "\t"])
def test_an_absurd_id_is_refused_before_an_engine_takes_memory_for_it(
    monkeypatch: pytest.MonkeyPatch, number: int, where: str, indent: str | None
) -> None:
    monkeypatch.setattr(tokenizers.Tokenizer, "from_str", lambda text: pytest.fail("the engine saw the file"))
    with pytest.raises(TokenizerError, match=r"has the id .*, expected one from 0 to 1,0\d\d,\d\d\d, as there are"):
        BatchTokenizer.from_json(json.dumps(with_id(where, number), indent=indent)).encode("a")


@pytest.mark.parametrize("number", [-1, 1.5, "7", None])
@pytest.mark.parametrize("where", ["vocabulary", "added tokens"])
def test_an_id_that_is_no_number_of_a_vocabulary(number: Any, where: str) -> None:
    with pytest.raises(TokenizerError, match=r"is no tokenizer\.json that tokenizers .* can read"):
        BatchTokenizer.from_json(json.dumps(with_id(where, number))).encode("a")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(b"\x80\x81")
    with pytest.raises(TokenizerError, match="cannot be read"):
        BatchTokenizer.load(str(tmp_path))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"the folder .* has no tokenizer\.json"):
        BatchTokenizer.load(str(tmp_path))
    for source in (str(tmp_path / "missing.json"), "missing/folder/tokenizer.json", "tokenizer.json", "./here", "a b"):
        with pytest.raises(TokenizerError, match="there is no file or folder"):
            BatchTokenizer.load(source)


def _hub_errors() -> list[tuple[str, str]]:
    return [
        ("GatedRepoError", "is gated"),
        ("RepositoryNotFoundError", "neither a file or folder here nor public"),
        ("RevisionNotFoundError", "check the revision"),
        ("LocalEntryNotFoundError", "hub cannot be reached"),
        ("RemoteEntryNotFoundError", r"has no tokenizer\.json on the hub"),
        ("OfflineModeIsEnabled", "could not be loaded from the hub"),
        ("HFValidationError", "could not be loaded from the hub"),
    ]


@pytest.mark.parametrize(("name", "message"), _hub_errors())
def test_hub_errors(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    errors = import_module("huggingface_hub.errors")
    kind = getattr(errors, name, errors.EntryNotFoundError)  # before 1.0 there was no error of its own for remote ones

    def fail(*_: Any, **__: Any) -> str:
        raise kind.__new__(kind, "failed")

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(TokenizerError, match=message) as caught:
        BatchTokenizer.load("some/model", revision="v1")
    assert "some/model at revision v1" in str(caught.value)


def test_a_hub_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    file = tmp_path / "0a1b2c" / "tokenizer.json"
    file.parent.mkdir()
    file.write_text(json.dumps(byte_level()))
    monkeypatch.setattr(hub, "hf_hub_download", lambda name, filename, revision: str(file))
    tokenizer = BatchTokenizer.load("some/model")
    assert tokenizer.revision == "0a1b2c" and tokenizer.source == "some/model"
