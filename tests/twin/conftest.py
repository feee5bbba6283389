"""What tests of the link share."""

import pytest

from twin.link.end import End


@pytest.fixture
def ends_are_closed(monkeypatch):
    """Close every end that a test that fails leaves open: ZeroMQ would wait for it for ever."""
    made, make = [], End.__init__

    def remember(end, *args):
        made.append(end)
        make(end, *args)

    monkeypatch.setattr(End, "__init__", remember)
    yield
    for end in made:
        end.close()
