"""A line of an index's metadata: a record with a path, a line and metadata, or an error."""

from typing import Any

import pytest

from suffixindex.storage.metadata import our_record

WHOLE = {"path": "a.jsonl", "line": 1, "metadata": {}}


@pytest.mark.parametrize("value", [WHOLE, {**WHOLE, "path": None, "line": None}, {**WHOLE, "metadata": {"year": 1999}}])
def test_what_is_a_record(value: Any) -> None:
    assert our_record(value) == value


@pytest.mark.parametrize("value", [None, [], {}, *({name: WHOLE[name] for name in WHOLE if name != lost} for lost in WHOLE)])
def test_what_lacks_a_field_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match="no record"):
        our_record(value)
