"""What headgate.yaml says of clusters, across its keys and against the environments. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.clusters import clusters_of, environments_on
from headgate.errors import ConfigError, did_you_mean
from headgate.model import AfterHealth
from headgate.paths import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.engine.reading import SourceText
    from headgate.errors import Location
    from headgate.model import AcceptRule, Settings


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
                hint="list environments in its 'environments', or name it as 'cluster' of an environment",
            )
        _check_flux(settings, name, text)
    for name, found in settings.environments.items():
        for index, rule in enumerate(found.takes):
            check_health_of(settings, rule, text.place(("environments", name, "takes", index, "auto")))
        if found.on_failure == "roll-back":
            _check_on_failure(settings, name, text.place(("environments", name, "on_failure")))


def has_health(settings: Settings, environment: str) -> bool:
    """Whether every cluster that an environment runs on has a source of health, and there is one."""
    clusters = clusters_of(settings, environment).values()
    return bool(clusters) and all(cluster.health is not None for cluster in clusters)


def check_health_of(settings: Settings, rule: AcceptRule, where: Location) -> None:
    """Check that what a promotion waits for can be known. Raises ConfigError."""
    source = rule.promotion or ""
    if isinstance(rule.auto, AfterHealth) and source in settings.environments and not has_health(settings, source):
        raise ConfigError(f"no cluster reports the health of {source}", where=where, hint=_SET_HEALTH)


_SET_HEALTH = "set 'health' of each cluster on which that environment runs"


def _check_on_failure(settings: Settings, name: str, where: Location) -> None:
    if not has_health(settings, name):
        raise ConfigError(f"no cluster reports the health of {name}", where=where, hint=_SET_HEALTH)
    if settings.records == "branch":
        raise ConfigError(
            "an automatic roll-back needs the records on the default branch, which has none here",
            where=where,
            hint="leave out 'records: branch', or this",
        )


def _check_flux(settings: Settings, name: str, text: SourceText) -> None:
    flux = settings.clusters[name].flux
    if flux is None:
        return
    path = ("clusters", name, "flux")
    if settings.gitlab is None and (flux.url is None or flux.statuses is not None):
        raise ConfigError(
            "the address of this repository is unknown",
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

    ``known`` are all apps, ``needs`` gives what each of them depends on. A circle is named by the apps in it.
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
