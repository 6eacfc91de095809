"""What reading or rendering one app in one environment may use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

MEBI = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Counts are enforced by the engine, so that the verdict is the same everywhere; 0 is no limit.

    ``seconds`` of wall time for one request, ``memory`` of the process in bytes.
    """

    seconds: float = 30
    memory: int = 1024 * MEBI
    bytes_in: int = 64 * MEBI
    nodes: int = 2_500_000
    objects: int = 5000
    bytes_out: int = 32 * MEBI

    @cached_property
    def counts(self) -> dict[str, int]:
        """What the engine counts, in the words of its protocol."""
        return {
            "bytes_in": self.bytes_in,
            "nodes": self.nodes,
            "objects": self.objects,
            "bytes_out": self.bytes_out,
        }


USUAL = Budget()
