"""Clusters in headgate.yaml: which environments run on each, its Flux objects, and what says whether it is healthy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from headgate.model.fields import Branch, ListOf, Name, SafeFolder, StrictModel, Text, pattern

# https://pkg.go.dev/time#ParseDuration, as Flux' CRDs restrict it.
Duration = Annotated[str, pattern(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", "a time such as 30s, 10m or 1h")]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
LabelKey = Annotated[
    str,
    pattern(
        r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        "a label's key such as pod-security.kubernetes.io/enforce",
    ),
]
LabelValue = Annotated[
    str, pattern(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", "a label's value such as baseline")
]

CloneUrl = Annotated[
    str,
    pattern(
        r"^(https://|ssh://git@)[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d{1,5})?(/[\w.-]+)+$",
        "an address such as https://gitlab.example.com/acme/manifests.git or ssh://git@...",
    ),
]


class FluxObjects(StrictModel):
    """The Flux objects that Headgate writes for a cluster."""

    url: CloneUrl | None = None
    """Address from which Flux clones this repository. Default: that of `gitlab`."""
    branch: Branch = "main"
    """Branch that Flux reads: the default branch."""
    secret: Name | None = "flux-system"  # noqa: S105  a name
    """Secret with the credentials for the clone; `null` for a public repository."""
    registry_secret: Name | None = None
    """Secret with the login at the registry, for environments whose `output` has `oci`. Default: none."""
    cosign: Name | None = None
    """Secret with the public keys (`*.pub`) by which Flux verifies these artifacts. Default: it takes unsigned ones."""
    service_account: Text | None = None
    """Service account that applies an app; may hold `{app}` and `{environment}`. Default: Flux's own account."""
    sops: Name | None = None
    """Secret with the keys that decrypt SOPS files."""
    interval: Duration = "10m"
    """How often Flux checks for drift and retries failures; without `fetch_interval` also for new commits."""
    fetch_interval: Duration | None = None
    """How often Flux checks for new commits, such as `1m` without a receiver. Default: `interval`."""
    timeout: Duration = "5m"
    """How long an app may take to become healthy."""
    labels: Mapping[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the apps' Namespaces: `pod-security.kubernetes.io/enforce: baseline`."""
    receiver: Name | None = None
    """Secret with the token of GitLab's webhook. With it, a Receiver makes Flux fetch at once."""
    statuses: Name | None = None
    """Secret with a GitLab token. With it, a Provider and an Alert post the result on the manifest commit."""


class HealthSource(StrictModel):
    """The source of the health of a cluster's apps: the statuses of a user, or the cluster itself."""

    statuses: Text | None = None
    """User name of whose token Flux posts commit statuses with. Only statuses of this user count."""
    kubernetes: Text | None = None
    """Context of the kubeconfig that leads to the cluster: `acme/agents:production` of GitLab's agent."""

    @model_validator(mode="after")
    def _exactly_one_source(self) -> HealthSource:
        if (self.statuses is None) == (self.kubernetes is None):
            raise ValueError("exactly one of statuses and kubernetes")
        return self


class Cluster(StrictModel):
    """A cluster with Flux in it."""

    environments: ListOf[Name] = ()
    """Environments that run on it. Default: those that name it as `cluster`, or have its name."""
    namespace: Name = "flux-system"
    """Namespace of the Flux objects."""
    flux: FluxObjects | None = None
    """Write the Flux objects to `clusters/CLUSTER/`; `{}` uses the defaults. Default: you write them."""
    kustomization: Text | None = None
    """Name of an app's Kustomization if you write the Flux objects: `{environment}-{app}`."""
    folder: SafeFolder | None = None
    """Folder with your Flux objects, which `headgate verify` looks through. Default: `clusters/CLUSTER`."""
    health: HealthSource | None = None
    """Source of the apps' health there. Default: none."""

    @model_validator(mode="after")
    def _names_its_own(self) -> Cluster:
        if self.flux is not None and (self.kustomization is not None or self.folder is not None):
            raise ValueError("kustomization and folder only without flux, which chooses the names")
        return self
