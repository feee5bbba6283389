"""What a ``with`` block on an AC source ends with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from teiden.errors import PartFailed


class OffAtEnd(ABC):
    """A source that is closed, its output off, at the end of a ``with`` block, whatever ended it."""

    @abstractmethod
    def close(self) -> None:
        """Switch the output off, see that it is, and let go; raise PartFailed if it cannot be seen to be off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except PartFailed as failure:
            if error is None:
                raise
            error.add_note(f"the source's output may still be on: {failure}")
