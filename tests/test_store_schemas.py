"""A file that an earlier Tipoff wrote is refused, with the way to what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.sqlite import SqliteStore
from events.store import StoreUnavailable
from tests.store_events import change, fill


@pytest.mark.parametrize("schema", [1, 2, 3])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_an_earlier_schema_is_left_as_it_is_for_the_program_that_can_export_it(
    tmp_path: Path, schema: int, read_only: bool
):
    path = tmp_path / "tipoff.db"
    fill(path)
    change(path, f"PRAGMA user_version = {schema}")
    before = path.read_bytes()
    with pytest.raises(
        StoreUnavailable, match=rf"an earlier Tipoff .*schema {schema}, .* 4.*export.*import"
    ) as refused:
        SqliteStore.open(path, read_only=read_only)
    assert "into a new store" in refused.value.next_step
    assert path.read_bytes() == before
