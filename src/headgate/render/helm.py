"""Helm: one process for each render, and all processors busy."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate import process, tools
from headgate.errors import ConfigError, HeadgateError, Place, RenderError
from headgate.objects.images import for_templates
from headgate.objects.manifest import Rendered
from headgate.process import ProcessError
from headgate.render import chart
from headgate.render.protocol import Result, clean_environment
from headgate.render.values import merge
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from headgate.render.protocol import Bench, Render
    from headgate.tools import Tool


@dataclass(frozen=True)
class _Job:
    """A render with its chart, complete and on disk. ``again`` is the chart for a second render, if one is due."""

    render: Render
    chart: Path
    values: Path
    again: Path | None
    warnings: tuple[str, ...]


def render(batch: Sequence[Render], bench: Bench) -> Generator[Result, None, None]:
    """Render all of ``batch``. Raises ToolError when Helm is not here."""
    if not batch:
        return
    helm = tools.find("helm")
    prepared: dict[tuple[str, str], chart.Chart | HeadgateError] = {}
    # One more than there are processors: one waits for us to read its output while the others render.
    with ThreadPoolExecutor(bench.workers + 1) as pool:
        pending = []
        for one in batch:
            try:
                job = _prepare(one, bench, prepared)
            except HeadgateError as error:
                yield Result(one, error=error)
                continue
            pending.append(pool.submit(_render_job, job, helm, bench))
        for future in as_completed(pending):
            yield future.result()


def _prepare(one: Render, bench: Bench, prepared: dict[tuple[str, str], chart.Chart | HeadgateError]) -> _Job:
    key = (one.scope.id, one.folder)
    if key not in prepared:
        try:
            prepared[key] = chart.complete(one.scope, one.folder, one.label)
        except HeadgateError as error:
            prepared[key] = error
    found = prepared[key]
    if isinstance(found, HeadgateError):
        raise found
    if not one.kubernetes:
        raise ConfigError(
            "'kubernetes' is missing, expected the version that Helm shall assume",
            where=Place("headgate.yaml", 0, f"environments.{one.environment}"),
            hint='for example: kubernetes: "1.34"',
        )
    values = bench.new_folder("values") / "values.yaml"
    images = {"images": for_templates(one.images)} if found.takes_images else {}
    values.write_text(write(merge(images, one.values)), encoding="utf-8")
    again = bench.stage(found.at_another_time) if found.at_another_time is not None else None
    warnings = tuple(f"{one.file(file)} uses 'lookup', which finds nothing here" for file in found.lookups)
    return _Job(one, bench.stage(found.files), values, again, warnings)


def _render_job(job: _Job, helm: Tool, bench: Bench) -> Result:
    charts = (job.chart, *([job.again] if job.again else []))
    try:
        texts = [_template(job.render, chart_folder, job.values, helm, bench) for chart_folder in charts]
    except HeadgateError as error:
        return Result(job.render, error=error, warnings=job.warnings)
    first, *second = [(Rendered(_with_sources(text, job.render)),) for text in texts]
    return Result(job.render, first, again=second[0] if second else (), warnings=job.warnings)


def _template(one: Render, chart_folder: Path, values: Path, helm: Tool, bench: Bench) -> str:
    args = [
        str(helm.path),
        "template",
        one.app,
        str(chart_folder),
        "--namespace",
        one.namespace,
        "--include-crds",
    ]
    args += ["--values", str(values), "--kube-version", one.kubernetes]
    for version in one.api_versions:
        args += ["--api-versions", version]
    nothing = str(bench.scratch / "none")
    homes = {f"HELM_{name}": nothing for name in ("CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "PLUGINS")}
    try:
        # One thread of Go for each render: we run as many renders as there are processors.
        env = {**clean_environment(bench), **homes, "GOMAXPROCS": "1"}
        return process.run(args, env=env, limits=bench.limits).stdout.decode("utf-8", "replace")
    except ProcessError as error:
        raise _explain(error.stderr, one) from None


_SOURCE_LINE = re.compile(r"^# Source: [^/\n]+/(.+)$", re.MULTILINE)
_IN_CHART = re.compile(
    r"(?<![\w.-])[\w.-]+/(?P<file>(?:charts/[\w.-]+/)*(?:templates|crds)/[^\s:()]+)(?::(?P<line>\d+))?"
)


def _with_sources(text: str, one: Render) -> str:
    """Name templates as the repository does: Helm names them below the chart's name."""
    return _SOURCE_LINE.sub(lambda match: f"# Source: {one.file(match[1])}", text)


def _explain(words: str, one: Render) -> RenderError:
    words = "\n".join(line for line in words.splitlines() if not line.startswith(("level=", "time=", "WARNING")))
    words = re.sub(r"^Error: ", "", words.strip())
    matches = list(_IN_CHART.finditer(words))
    # The last place that Helm names is the innermost one.
    match = next((match for match in reversed(matches) if match["line"]), matches[-1] if matches else None)
    where = Place(one.file(match["file"]), int(match["line"] or 0)) if match else Place(one.label)
    missing = "nil pointer evaluating" in words or "required" in words or "no entry for key" in words
    hint = "a value is missing: set it in the app's values, or give it a default in the chart" if missing else ""
    lines = [line.strip() for line in words.split("\n") if line.strip()]
    return RenderError("Helm: " + "\n    ".join(lines[:6]), where=where, hint=hint)
