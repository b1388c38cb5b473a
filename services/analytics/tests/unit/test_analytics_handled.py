"""Which events of a partition are remembered: the newest ones, whatever the sizes of the batches, in few rows."""

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.windows.handled import Batch, HandledIds


def ids(first: int, count: int) -> bytes:
    return b"".join(number.to_bytes(16) for number in range(first, first + count))


class Saved:
    """What the rows of a partition would be."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}

    def take(self, handled: HandledIds, event_ids: bytes, last_offset: int) -> None:
        change = handled.change_for(event_ids, last_offset)
        if change.fills is not None:
            del self.rows[change.fills]
        self.rows = {offset: row for offset, row in self.rows.items() if offset > (change.forgets_until or -1)}
        self.rows[change.batch.last_offset] = change.batch.event_ids
        handled.apply(change)

    def loaded(self, most: int) -> HandledIds:
        return HandledIds([Batch(*row) for row in self.rows.items()], most=most)


@settings(deadline=None)
@given(st.lists(st.integers(1, 1500), max_size=30), st.integers(1, 3000))
def test_the_newest_events_are_remembered_by_the_process_and_by_the_one_that_follows_it(sizes: list[int], most: int) -> None:
    handled, saved, count = HandledIds(most=most), Saved(), 0
    for size in sizes:
        saved.take(handled, ids(count, size), count + size)
        count += size
        for known in (handled, saved.loaded(most)):
            assert all(number.to_bytes(16) in known for number in range(max(0, count - most), count))
            assert (count + 1).to_bytes(16) not in known


def test_a_quiet_partition_has_few_rows_and_old_ones_go() -> None:
    handled, saved = HandledIds(most=2000), Saved()
    for number in range(5000):
        saved.take(handled, ids(number, 1), number)

    assert len(saved.rows) <= 6
    assert sum(map(len, saved.rows.values())) <= 16 * 2500
    assert ids(0, 1) not in handled
