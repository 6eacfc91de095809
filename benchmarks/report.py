"""What was measured -> JSON, and a table for people."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.measure import cpu_ratio, processors, ratio

from headgate import PINNED, __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Samples


@dataclass(frozen=True)
class Figure:
    """A number that is reported: the time of ``way``, or its ratio to that of ``to``; and its goal."""

    way: str
    to: str = ""
    under: float | None = None
    cpu_under: float | None = None

    def value(self, samples: dict[str, Samples]) -> float:
        """Return seconds, or the ratio."""
        return ratio(samples[self.way], samples[self.to]) if self.to else samples[self.way].wall

    def cpu_value(self, samples: dict[str, Samples]) -> float:
        """Return the same of the processors' seconds."""
        return cpu_ratio(samples[self.way], samples[self.to]) if self.to else samples[self.way].cpu


@dataclass(frozen=True)
class Measured:
    """One case, measured. ``renders``: app-environments; ``objects``: in all of them together."""

    name: str
    renders: int
    objects: int
    samples: dict[str, Samples]
    figures: tuple[Figure, ...]


def as_data(measured: Sequence[Measured], rounds: int, scale: float) -> dict[str, Any]:
    """Return everything that was measured, for programs."""
    return {
        "headgate": __version__,
        "python": platform.python_version(),
        "processors": processors(),
        **PINNED,
        "load": os.getloadavg()[0],
        "rounds": rounds,
        "scale": scale,
        "cases": [_case_data(case) for case in measured],
    }


def _case_data(case: Measured) -> dict[str, Any]:
    ways = {
        name: {
            "wall_seconds": samples.wall,
            "cpu_seconds": samples.cpu,
            "wall_milliseconds_each": samples.wall / case.renders * 1000,
            "peak_bytes": samples.peak,
            "together_bytes": samples.together,
            "rounds": [cost.wall for cost in samples.costs],
        }
        for name, samples in case.samples.items()
    }
    figures = [
        {
            "way": figure.way,
            "to": figure.to or None,
            "value": value,
            "cpu_value": figure.cpu_value(case.samples),
            "under": figure.under,
            "cpu_under": figure.cpu_under,
            "met": _met(figure, case.samples),
        }
        for figure in case.figures
        for value in [figure.value(case.samples)]
    ]
    return {
        "name": case.name,
        "renders": case.renders,
        "objects": case.objects,
        "ways": ways,
        "figures": figures,
    }


def _met(figure: Figure, samples: dict[str, Samples]) -> bool | None:
    goals = [(figure.value(samples), figure.under), (figure.cpu_value(samples), figure.cpu_under)]
    found = [value < goal for value, goal in goals if goal is not None]
    return all(found) if found else None


def as_text(data: dict[str, Any]) -> str:
    """Write the same for people."""
    lines = [
        f"Headgate {data['headgate']}, Python {data['python']}, Helm {data['helm']}, "
        f"Kustomize {data['kustomize']}, {data['processors']} processors, load {data['load']:.1f} at the end; "
        f"medians of {data['rounds']} rounds"
        + (f"; repositories of {data['scale']:g} times the usual size" if data["scale"] != 1 else "")
    ]
    for case in data["cases"]:
        lines += ["", f"{case['name']}: {case['renders']} app-environments, {case['objects']} objects"]
        lines += [f"  {'':<32}{'wall s':>10}{'cpu s':>10}{'each ms':>10}{'peak MiB':>10}{'all MiB':>10}"]
        for name, way in case["ways"].items():
            lines.append(
                f"  {name:<32}{way['wall_seconds']:>10.3f}{way['cpu_seconds']:>10.3f}"
                f"{way['wall_milliseconds_each']:>10.2f}{way['peak_bytes'] / 2**20:>10.0f}"
                f"{way['together_bytes'] / 2**20:>10.0f}"
            )
        lines += [_figure_line(figure) for figure in case["figures"]]
    return "\n".join(lines)


def _figure_line(figure: dict[str, Any]) -> str:
    what = f"{figure['way']} / {figure['to']}" if figure["to"] else figure["way"]
    unit = "x" if figure["to"] else "s"
    goal = ""
    if figure["under"] is not None:
        cpu = f", cpu {figure['cpu_under']:g} {unit}" if figure["cpu_under"] is not None else ""
        goal = f"   goal under {figure['under']:g} {unit}{cpu}: {'met' if figure['met'] else 'MISSED'}"
    return f"  -> {what:<58}{figure['value']:>8.3f} {unit}  (cpu {figure['cpu_value']:.3f} {unit}){goal}"
