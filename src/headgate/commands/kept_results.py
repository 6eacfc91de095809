"""Where the variables of a job keep what was rendered for other jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headgate.hydration.results import ResultFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER, KEY = "HEADGATE_RESULTS", "HEADGATE_RESULTS_KEY"


def result_folder(environ: Mapping[str, str]) -> ResultFolder | None:
    """Return the folder of results that a job's variables name; None without one, or without a key to trust it by.

    The key is HEADGATE_RESULTS_KEY, else made from HEADGATE_TOKEN: protected variables, which no merge request has.
    """
    path, secret = environ.get(FOLDER, ""), environ.get(KEY, "") or environ.get("HEADGATE_TOKEN", "")
    if not path or not secret:
        return None
    return ResultFolder.of(Path(path), secret, environ.get("CI_JOB_URL", ""), environ.get("CI_PIPELINE_ID", ""))
