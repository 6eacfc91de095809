"""Complete an app's own config with its external dependencies at the hand-off, so that hydration needs no network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.dependencies.download import DownloadAccess
from headgate.dependencies.plan import Plan, ResolvedConfig, plan
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.model import Settings
    from headgate.repository.tree import Tree


class Resolver:
    """Completes each config once, for all environments and retries."""

    def __init__(self, access: DownloadAccess | None = None) -> None:
        """Use the logins of ``access``; headgate.yaml has the allowed hosts."""
        self.access = access or DownloadAccess()
        self._known: dict[tuple[str, ...], ResolvedConfig | HeadgateError] = {}

    def resolve(
        self, files: Tree, settings: Settings, environments: Sequence[str], label: str, owner: str
    ) -> ResolvedConfig:
        """Return the config of the app ``owner`` with all dependencies.

        Raises the errors of `plan`, DependencyError if one cannot be fetched, UnsafeFileError and TooLargeError for
        fetched files as for an app's own.
        """
        hosts = settings.dependencies.hosts
        key = (files.id, label, owner, *environments, "", *hosts)
        if key not in self._known:
            try:
                needed = plan(files, environments, label, owner)
                access = replace(self.access, hosts=frozenset(hosts))
                self._known[key] = _completed(files, needed, access, label, owner)
            except HeadgateError as error:
                self._known[key] = error
        resolved = self._known[key]
        if isinstance(resolved, HeadgateError):
            raise resolved
        return resolved


def _completed(files: Tree, needed: Plan, access: DownloadAccess, label: str, owner: str) -> ResolvedConfig:
    if not needed.charts and not needed.bases:
        return ResolvedConfig(files)
    from headgate.dependencies.complete import completed  # noqa: PLC0415  most apps bring along all that they need

    return completed(files, needed, access, label, owner)
