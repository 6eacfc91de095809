"""Limits for reading or rendering an app in an environment."""

from __future__ import annotations

from functools import cached_property

from headgate.records import frozen_record

MEBI = 1024 * 1024


@frozen_record
class Budget:
    """The engine enforces counts, so the result is the same everywhere; 0 is no limit.

    ``seconds`` is the processor time of a request (by the clock twice that), ``memory`` that of the process in bytes.
    """

    seconds: float = 30
    memory: int = 1024 * MEBI
    bytes_in: int = 64 * MEBI
    nodes: int = 2_500_000
    objects: int = 5000
    bytes_out: int = 32 * MEBI

    @cached_property
    def counts(self) -> dict[str, int]:
        """The counts, named as in the protocol."""
        return {
            "bytes_in": self.bytes_in,
            "nodes": self.nodes,
            "objects": self.objects,
            "bytes_out": self.bytes_out,
        }

    @property
    def max_answer(self) -> int:
        """How many bytes a line of an answer has at most: the text of a request, written as JSON."""
        return 2 * (self.bytes_in + self.bytes_out) if self.bytes_in and self.bytes_out else 0


USUAL = Budget()
