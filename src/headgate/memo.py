"""What was worked out, by all that decides it, for who asks for the same again."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """Values by their keys, until they take too much room."""

    def __init__(self, room: int) -> None:
        """Start empty. ``room`` is in the unit of what `keep` is told."""
        self._values: dict[Key, Value] = {}
        self._room, self._size = room, 0

    def find(self, key: Key) -> Value | None:
        """Return what is known."""
        return self._values.get(key)

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Keep a value."""
        self._values[key] = value
        self._size += size

    @property
    def is_full(self) -> bool:
        """Whether there is no room left."""
        return self._size > self._room

    def make_room(self) -> None:
        """Forget all, if there is no room left."""
        if self.is_full:
            self.forget()

    def forget(self) -> None:
        """Forget all."""
        self._values.clear()
        self._size = 0
