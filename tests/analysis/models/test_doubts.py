"""What a token that begins a text changes, against scores of the same sentences one by one."""

import re
from pathlib import Path

import pytest

from analysis.models.doubts import SENTENCES, doubts_of
from analysis.models.open import CausalModel, causal_model, open_model
from tests.helpers.analysis_building import tiny_tokenizer, write_model
from tests.helpers.plain_scores import log_probs

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<bos>"})
    return open_model(str(write_model(tmp_path_factory.mktemp("model"), tokenizer=tokenizer)), device="cpu")


def test_a_doubt_says_what_the_token_changes(model: CausalModel) -> None:
    (doubt,) = doubts_of(model)
    told = re.search(r"\(plain sentences have (.*) a token with it, (.*) without\)", doubt)
    assert told is not None
    for number, before in zip(told.groups(), ([model.tokenizer.bos_token_id], []), strict=True):
        found = []
        for sentence in SENTENCES:
            border = sentence.index(" ") + 1
            encoded = model.tokenizer(sentence, return_offsets_mapping=True)
            ids = encoded["input_ids"]
            first = next(place for place, (_, stop) in enumerate(encoded["offset_mapping"]) if stop > border)
            found += log_probs(model.model, [*before, *ids[:first]], ids[first:])
        assert float(number.replace("−", "-")) == pytest.approx(sum(found) / len(found), abs=6e-3)


def test_nothing_is_measured_without_that_doubt(model: CausalModel, tmp_path: Path) -> None:
    for bos in ("always", "never"):
        assert doubts_of(causal_model(model.model, model.tokenizer, name="tiny", bos=bos)) == []  # type: ignore[arg-type]
    assert doubts_of(open_model(str(write_model(tmp_path)), device="cpu")) == []
