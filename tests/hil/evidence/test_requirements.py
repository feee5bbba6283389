"""The table of requirements is whole."""

from hil.evidence.requirements import requirements


def test_every_requirement_is_there_once_with_text_and_source():
    table = requirements()
    assert list(table) == [f"R{number}" for number in range(1, 65)]
    assert len({one.text for one in table.values()}) == 64
    assert all(one.source for one in table.values())
