"""The ledger writes moves down late and digests once: the same as message by message, and anew."""

import numpy as np

from gpu import rng
from twin.collection.ledger import _DIGEST, NEVER, At, Ledger


def moved_one_by_one(moves, messages):
    """Return place and time at the head end of each message, by the rules in words: a slow reference."""
    at, head_end_ns = [At.METER] * messages, [NEVER] * messages
    for rows, place, t_ns in moves:
        for row in rows.tolist():
            if at[row] < At.STORED:
                at[row] = place
            if t_ns != NEVER and head_end_ns[row] == NEVER:
                head_end_ns[row] = t_ns
    return at, head_end_ns


def test_moves_written_down_late_are_those_made_one_by_one(monkeypatch):
    monkeypatch.setattr("twin.collection.ledger._AT_ONCE", 7)
    draw, messages = np.random.default_rng(7), 30
    for _ in range(20):
        ledger = Ledger()
        ledger.add(0, np.arange(messages), 10, 1, 11)
        moves = []
        for t_ns in range(100, 140):
            place = At(int(draw.choice(len(At), p=[0.18] * 5 + [0.05, 0.03, 0.02])))
            arrives = t_ns if place == At.HEAD_END else NEVER
            rows = draw.integers(0, messages, 4)  # a message may be named twice
            moves.append((rows, place, arrives))
            ledger.move(rows, place, arrives)
            if draw.random() < 0.1:
                assert ledger.rows["at"].tolist() == moved_one_by_one(moves, messages)[0]
        at, head_end_ns = moved_one_by_one(moves, messages)
        assert ledger.rows["at"].tolist() == at
        assert ledger.rows["head_end_ns"].tolist() == head_end_ns
        assert ledger.values_by_place(2, messages).tolist() == [[at.count(place) for place in At], [0] * len(At)]


def digested_anew(ledger):
    """Return the digest's sum over all messages as they are."""
    total = 0
    for key in ("offered_ns", "radio_ns", "head_end_ns", "stored_ns", "at"):
        column = ledger.rows[key].astype(np.int64)
        total += int(rng.draw_u64(len(key), _DIGEST, np.arange(column.size), column).sum())
    return total % 2**64


def test_a_digest_kept_up_to_date_is_that_made_anew():
    draw, ledger = np.random.default_rng(8), Ledger()
    for t_ns in range(100, 160):
        ledger.add(0, np.arange(50), t_ns, 1, t_ns + 1)
        rows = draw.integers(0, ledger.rows.size, 60)
        for stage in ("radio_ns", "head_end_ns", "stored_ns"):
            some = rows[draw.random(60) < 0.9]
            fresh = some[ledger.rows[stage][some] == NEVER]
            ledger.rows[stage][fresh] = t_ns
        ledger.move(rows, At(int(draw.integers(1, 8))))
        assert ledger.digest(ledger.size) == digested_anew(ledger)


def test_chosen_messages_are_what_indexing_the_columns_gives():
    ledger = Ledger()
    ledger.add(0, np.arange(10), 5, 1, 6)
    ledger.add(1, np.arange(4), 5, 6, 7)
    rows = ledger.rows
    assert rows[rows["kind"] == 1]["meter"].tolist() == [0, 1, 2, 3]
    assert rows[np.array([12, 3])][np.array([True, False])]["offered_ns"].tolist() == [7]
    assert rows[8:12]["meter"].tolist() == [8, 9, 0, 1]
    rows["at"][13] = At.LOST
    assert ledger.rows["at"].tolist() == [0] * 13 + [At.LOST]
    assert rows[rows["at"] == At.LOST].size == 1


def test_riders_come_with_the_place_of_the_frame_that_carries_them():
    # Message 1 carries 5, which carries 7; message 3 carries 6; 0, 2 and 4 travel alone.
    ledger = Ledger()
    ledger.add(0, np.arange(8), 5, 1, 6)
    ledger.rows["rider"][[1, 5, 3]] = [5, 7, 6]
    rows, carrier = ledger.with_riders(np.array([3, 0, 1]))
    assert rows.tolist() == [3, 0, 1, 6, 5, 7]
    assert carrier.tolist() == [0, 1, 2, 0, 2, 2]
    alone, of_it = ledger.with_riders(np.array([2, 4]))
    assert (alone.tolist(), of_it.tolist()) == ([2, 4], [0, 1])
