"""headgate.yaml and headgate.lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from headgate.model.clusters import Cluster
from headgate.model.fields import (
    WEEKDAYS,
    Branch,
    Clock,
    DateRange,
    Days,
    Delivery,
    Email,
    Engine,
    Host,
    Hosts,
    KindName,
    Level,
    Minor,
    Name,
    Permission,
    PersonName,
    Project,
    SafeFolder,
    StrictModel,
    Text,
    Texts,
    TimeZone,
    Url,
    ValuePath,
    as_tuple,
    listed,
)
from headgate.model.promotion import Auto


class AcceptRule(StrictModel):
    """One kind of hand-off that an environment accepts: a branch, a tag or a promotion."""

    branch: Text | None = None
    """Pattern of branches (`main`, `release/*`) whose hand-offs are accepted."""
    tag: Text | None = None
    """Pattern of tags (`v*`) whose hand-offs are accepted."""
    promotion: Name | None = None
    """Environment from which releases may be promoted."""
    auto: Auto = False
    """With `promotion`: follow by itself, at once (`true`), after a time (`30m`, `2h`, `1d`), or when it is healthy."""
    order: Literal["ancestry", "semver"] | None = None
    """How newer is told from older: by git history (branches) or by the version in the tag (tags)."""
    protected: bool = True
    """Whether the branch or tag must be protected in GitLab."""

    @model_validator(mode="after")
    def _one_source(self) -> AcceptRule:
        if sum(source is not None for source in (self.branch, self.tag, self.promotion)) != 1:
            raise ValueError("exactly one of branch, tag and promotion")
        if self.auto and self.promotion is None:
            raise ValueError("auto only beside promotion")
        return self


Takes = Annotated[
    tuple[AcceptRule, ...],
    BeforeValidator(listed, json_schema_input_type=AcceptRule | list[AcceptRule]),
]


class Review(StrictModel):
    """How the merge requests of a reviewed environment are made."""

    labels: Texts = ()
    """Labels of the merge request."""
    reviewers: Texts = ()
    """User names of the reviewers."""
    assignee: Text | None = None
    """User name of the assignee."""
    draft: bool = False
    """Open merge requests as drafts."""
    auto_merge: bool = False
    """Merge as soon as GitLab says that it may be merged."""


class Mirror(StrictModel):
    """A branch that repeats an environment's YAML after it is on the default branch."""

    branch: Branch
    """Branch to write; may hold `{environment}`."""
    path: SafeFolder = "{app}"
    """Folder of an app on that branch; may hold `{environment}` and `{app}`."""


class Output(StrictModel):
    """Where the final YAML goes."""

    path: SafeFolder = "deploy/{environment}/{app}"
    """Folder of one app in one environment; may hold `{environment}` and `{app}`."""
    mirror: Mirror | None = None
    """A branch on which the same YAML is wanted too."""


class Window(StrictModel):
    """Days and times at which an environment takes what reaches it by itself."""

    days: Days = "mon-sun"
    """Days of the week: `mon-thu`, `mon,wed`, or a list."""
    since: Clock = Field(default="00:00", alias="from")
    """Time at which it opens, as `09:00`."""
    to: Clock = "24:00"
    """Time at which it closes. Where that is earlier than `from`, it is on the next day."""
    time_zone: TimeZone = "UTC"
    """Time zone of these times: `Europe/Berlin`."""
    exceptions: Annotated[tuple[DateRange, ...], BeforeValidator(as_tuple, json_schema_input_type=list[DateRange])] = (
        Field(default=(), alias="except")
    )
    """Days on which it does not open: `2026-12-24`, or from one to another: `2026-12-20/2027-01-06`."""

    @property
    def weekdays(self) -> frozenset[str]:
        """The days of the week."""
        found: set[str] = set()
        for entry in self.days.split(","):
            first, _, last = entry.strip().partition("-")
            begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            found |= {WEEKDAYS[day % 7] for day in range(begin, end + 1 if end >= begin else end + 8)}
        return frozenset(found)


Windows = Annotated[tuple[Window, ...], BeforeValidator(listed, json_schema_input_type=Window | list[Window])]


class DeployedTo(StrictModel):
    """What GitLab is told of an environment in the apps' projects. `{app}` and `{environment}` stand for the names."""

    tier: Literal["production", "staging", "testing", "development", "other"] | None = None
    """Its tier, by which GitLab counts deployments (DORA). Default: what GitLab guesses from the name."""
    agent: Annotated[int, Field(gt=0)] | None = None
    """Number of the GitLab agent whose cluster the dashboard shows: one of the app's own project."""
    namespace: Text | None = None
    """Namespace that the dashboard shows."""
    flux: Text | None = None
    """Flux' object that the dashboard follows: `kustomize.toolkit.fluxcd.io/v1/namespaces/NS/kustomizations/NAME`."""

    @model_validator(mode="after")
    def _dashboard(self) -> DeployedTo:
        if self.flux is not None and self.namespace is None:
            raise ValueError("flux only beside namespace")
        return self


class Environment(StrictModel):
    """One environment: what it accepts, and how its YAML is delivered."""

    takes: Takes = ()
    """Which hand-offs and promotions are accepted: one, or a list."""
    delivery: Delivery
    """`commit`: straight to the default branch; `review`: by a merge request."""
    kubernetes: Minor | None = None
    """Version of Kubernetes that Helm and the schemas assume, in quotes: `"1.34"`."""
    api_versions: Texts = ()
    """API versions of the cluster beyond Kubernetes' own, for charts that ask (`monitoring.coreos.com/v1`)."""
    cluster: Name | None = None
    """Cluster that this environment runs on; environments of one cluster share its objects. Default: one each."""
    templates: Literal["follow", "promote"] = "follow"
    """`follow`: a template change arrives at once; `promote`: it travels with the release."""
    on_failure: Literal["keep", "roll-back"] = "keep"
    """When a new version fails in the cluster and never was healthy: `roll-back` goes back to the one before, once."""
    windows: Windows = ()
    """When it takes what reaches it by itself: one, or a list. Default: always."""
    review: Review = Review()
    """How merge requests are made."""
    output: Output = Output()
    """Where the final YAML goes."""
    gitlab: DeployedTo | None = None
    """What GitLab's pages of environments show: tier, and the Kubernetes dashboard."""


class Dependencies(StrictModel):
    """What an app's own config may bring along from elsewhere when it is handed off."""

    hosts: Annotated[tuple[Host, ...], BeforeValidator(as_tuple, json_schema_input_type=list[Host])] = ()
    """Hosts of charts and of Kustomize bases, with a port where it is not 443: `charts.example.com`. Default: none."""


class SettingsLimits(StrictModel):
    """Guards against a change that is larger than anybody meant."""

    removed_percent: Annotated[int, Field(ge=0, le=100)] = 50
    """A render that removes more than this share of an app's objects (and more than three) is refused."""
    render_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Time that one render may take, in seconds."""
    render_mebibytes: Annotated[int, Field(ge=64, le=65536)] = 1024
    """Memory that one render may use, in MiB."""
    input_mebibytes: Annotated[int, Field(ge=1, le=4096)] = 64
    """YAML that one app may have read or rendered in one environment, in MiB."""
    nodes: Annotated[int, Field(ge=1000, le=100_000_000)] = 2_500_000
    """Values, lists and maps in that YAML, once its aliases are followed."""
    objects: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """Objects that one app may have in one environment."""
    output_mebibytes: Annotated[int, Field(ge=1, le=4096)] = 32
    """Final YAML that one app may have in one environment, in MiB."""


class CommitIdentity(StrictModel):
    """Who a commit is by."""

    name: PersonName
    """Name."""
    email: Email
    """Address, one that the project's push rules know."""


class Commits(StrictModel):
    """Who the commits of Headgate are by, and their subject."""

    author: CommitIdentity | None = None
    """Author of every commit. Default: who git's configuration names."""
    committer: CommitIdentity | None = None
    """Committer of every commit; signatures are checked against its address. Default: as for the author."""
    message: Text | None = None
    """Subject: a text with `{action}`, `{apps}`, `{environments}` and `{what}`. Body and trailers are Headgate's."""


Proofs = Annotated[
    tuple[Literal["trigger-jobs", "id-token", "upstream"], ...],
    Field(min_length=1),
    BeforeValidator(as_tuple, json_schema_input_type=list[Literal["trigger-jobs", "id-token", "upstream"]]),
]


class GitLabSettings(StrictModel):
    """Where this repository is, so that no variable of a pipeline decides where tokens go."""

    url: Url
    """GitLab's address: `https://gitlab.example.com`."""
    project: Project
    """Path of the project that holds this repository."""
    registry: Host | None = None
    """Host of its container registry, to which job tokens go: `registry.example.com`."""
    proofs: Proofs = ("trigger-jobs", "id-token")
    """What proves who sent a hand-off: `trigger-jobs`, or `upstream` in its place; `id-token`."""

    @model_validator(mode="after")
    def _one_of_triggers(self) -> GitLabSettings:
        if {"trigger-jobs", "upstream"} <= set(self.proofs):
            raise ValueError("upstream in place of trigger-jobs, not beside it: else the weaker one would count")
        return self


class Registry(StrictModel):
    """What a registry may have of us."""

    realms: Hosts = ()
    """Other hosts that may be asked for tokens with its credentials: `auth.example.com`."""


class Settings(StrictModel):
    """headgate.yaml: the environments, how each is delivered, and who may do what."""

    version: Literal[1]
    """Version of this file's format."""
    environments: Annotated[Mapping[Name, Environment], Field(min_length=1)]
    """The environments, in the order of promotion."""
    clusters: Mapping[Name, Cluster] = Field(default_factory=dict)
    """Clusters with Flux in them: its objects, and what says whether apps are healthy. Default: none."""
    gitlab: GitLabSettings | None = None
    """GitLab, and this project there. Required for what runs in GitLab's pipelines."""
    registries: Mapping[Host, Registry] = Field(default_factory=dict)
    """Registries by host, where more is to be said of one: which other hosts get its credentials."""
    permissions: Mapping[Name, Mapping[Permission, Level]] = Field(default_factory=dict)
    """Per environment and action: the access level that a person needs. Default: maintainer."""
    workloads: Mapping[KindName, ValuePath] = Field(default_factory=dict)
    """Custom resources that run images: `Rollout.argoproj.io: spec.template.spec` (a pod) or a path to an image."""
    scopes: Mapping[KindName, Literal["cluster", "namespace"]] = Field(default_factory=dict)
    """Scope of custom resources that Headgate does not know: `Widget.example.com: namespace`."""
    sandbox: Literal["required", "optional"] = "required"
    """Whether what apps wrote is refused where the engine cannot lock itself in."""
    dependencies: Dependencies = Dependencies()
    """What an app's own config may bring along from elsewhere when it is handed off."""
    limits: SettingsLimits = SettingsLimits()
    """Guards against a change that is larger than anybody meant."""
    commits: Commits = Commits()
    """Who the commits are by, and their subject."""
    records: Literal["default", "branch"] = "default"
    """Where what is pending stands: on the default branch, or, if the bot may not push that, on `headgate/_state`."""


class Lock(StrictModel):
    """headgate.lock: the versions that hydrated this repository. Another version refuses to."""

    version: Literal[1, 2] = 1
    """Version of this file's format; with 2, what is pending is on record beside each release."""
    output: int
    """Version of the canonical output."""
    engines: Mapping[Engine, Text] = Field(default_factory=dict)
    """Version of each engine that was used."""
