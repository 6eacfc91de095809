"""What headgate.yaml says of clusters, across its keys and against the environments. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import ConfigError, did_you_mean
from headgate.flux.names import clusters_of, environments_on
from headgate.paths import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.engine.reading import SourceText
    from headgate.model import Settings


def check_clusters(settings: Settings, text: SourceText) -> None:
    """Check the clusters of headgate.yaml. Raises ConfigError with file, line and key."""
    for name, cluster in settings.clusters.items():
        path = ("clusters", name)
        for environment in cluster.environments:
            if environment not in settings.environments:
                known = list(settings.environments)
                raise ConfigError(
                    f"there is no environment '{environment}', expected one of: {', '.join(known)}",
                    where=text.place((*path, "environments")),
                    hint=did_you_mean(environment, known),
                )
        if not any(environments_on(settings, name)):
            raise ConfigError(
                f"no environment runs on the cluster '{name}'",
                where=text.place(path),
                hint="name some in its 'environments', or name it in the 'cluster' of an environment",
            )
        _check_flux(settings, name, text)


def _check_flux(settings: Settings, name: str, text: SourceText) -> None:
    flux = settings.clusters[name].flux
    if flux is None:
        return
    path = ("clusters", name, "flux")
    if settings.gitlab is None and (flux.url is None or flux.statuses is not None):
        raise ConfigError(
            "it is not known where this repository is",
            where=text.place(path),
            hint="set 'gitlab', or 'url' here; statuses need 'gitlab'",
        )
    for environment in environments_on(settings, name):
        output = settings.environments[environment].output.path
        if output.split("/")[0] == CLUSTERS:
            raise ConfigError(
                f"the output path {output} is below {CLUSTERS}/, where Flux reads its own objects",
                where=text.place(("environments", environment, "output", "path")),
                hint="choose another one, as 'deploy/{environment}/{app}'",
            )


def depends_on_problem(
    app: str, names: Sequence[str], known: Sequence[str], needs: Callable[[str], Sequence[str]]
) -> str:
    """Return what is wrong with the apps that an app depends on; nothing where all is right.

    ``known`` are all apps, ``needs`` gives what each of them depends on. A circle is told by the apps in it.
    """
    for name in names:
        if name not in known:
            return f"there is no app '{name}'"
    todo, seen = [[app, name] for name in names], set[str]()
    while todo:
        way = todo.pop()
        if way[-1] == app:
            return f"apps depend on each other in a circle: {' -> '.join(way)}"
        if way[-1] not in seen:
            seen.add(way[-1])
            todo += [[*way, name] for name in needs(way[-1])]
    return ""


def cluster_names(settings: Settings, environment: str) -> frozenset[str]:
    """Return the clusters that an environment runs on, under which no object may be twice."""
    home = settings.environments[environment].cluster or environment
    return frozenset(clusters_of(settings, environment)) or frozenset({home})
