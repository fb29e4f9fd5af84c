"""The bytes of many rows of ids, with compiled code and without."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffixindex.tokenizers import word_table


@pytest.mark.parametrize("few", [0, 10**6])
@given(pieces=st.lists(st.binary(max_size=20), min_size=1, max_size=6), data=st.data())
def test_contents(few: int, pieces: list[bytes], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.integers(0, len(pieces) - 1), max_size=6), max_size=5))
    pool = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)])
    with mock.patch.object(word_table, "FEW", few):
        found = word_table.contents(pool, offsets, [np.array(row, np.uint16) for row in rows])
    assert found == [b"".join(pieces[token] for token in row) for row in rows]
