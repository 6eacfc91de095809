"""The folder with results that other jobs rendered, as a job's variables name it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headgate.hydration.results import ResultFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.report.terminal import Terminal

FOLDER, KEY = "HEADGATE_RESULTS", "HEADGATE_RESULTS_KEY"


def result_folder(environ: Mapping[str, str]) -> ResultFolder | None:
    """Return the folder of results that a job's variables name; None without one, or without a key to trust it by.

    The key is HEADGATE_RESULTS_KEY, else made from HEADGATE_TOKEN: protected variables, which no merge request has.
    """
    path, secret = environ.get(FOLDER, ""), environ.get(KEY, "") or environ.get("HEADGATE_TOKEN", "")
    if not path or not secret:
        return None
    return ResultFolder.of(Path(path), secret, environ.get("CI_JOB_URL", ""), environ.get("CI_PIPELINE_ID", ""))


def finish_results(folder: ResultFolder, terminal: Terminal) -> None:
    """Print how many results a run used, and shrink the folder to what GitLab's cache should keep."""
    folder.trim()
    if str(folder.tally):
        terminal.line(str(folder.tally))
