"""headgate.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from headgate.model.clusters import Cluster
from headgate.model.fields import (
    WEEKDAYS,
    Clock,
    DateRange,
    Days,
    Delivery,
    Email,
    Host,
    Hosts,
    KindName,
    Level,
    ListOf,
    Minor,
    Name,
    OrderRule,
    Permission,
    PersonName,
    Project,
    RiskFlag,
    StrictModel,
    Text,
    Texts,
    TimeZone,
    Url,
    ValuePath,
    listed,
)
from headgate.model.notification import Notification
from headgate.model.output import Output
from headgate.model.policies import PolicyName, PolicySettings
from headgate.model.promotion import Auto
from headgate.model.validation import Validation


class AcceptRule(StrictModel):
    """A rule for hand-offs that an environment accepts: a branch, a tag or a promotion."""

    branch: Text | None = None
    """Pattern of branches (`main`, `release/*`) whose hand-offs are accepted."""
    tag: Text | None = None
    """Pattern of tags (`v*`) whose hand-offs are accepted."""
    promotion: Name | None = None
    """Environment from which releases may be promoted."""
    auto: Auto = False
    """With `promotion`: promote automatically, at once (`true`), after a delay (`30m`, `2h`, `1d`) or `healthy`."""
    order: OrderRule | None = None
    """Order of versions: by git history (default for branches) or by the version in the tag (default for tags)."""
    protected: bool = True
    """Whether the branch or tag must be protected in GitLab."""

    @model_validator(mode="after")
    def _one_source(self) -> AcceptRule:
        if sum(source is not None for source in (self.branch, self.tag, self.promotion)) != 1:
            raise ValueError("exactly one of branch, tag and promotion")
        if self.auto and self.promotion is None:
            raise ValueError("auto only with promotion")
        return self


Takes = Annotated[
    tuple[AcceptRule, ...],
    BeforeValidator(listed, json_schema_input_type=AcceptRule | list[AcceptRule]),
]


class Review(StrictModel):
    """Settings of the merge requests of a reviewed environment."""

    labels: Texts = ()
    """Labels of the merge request."""
    reviewers: Texts = ()
    """User names of the reviewers."""
    assignee: Text | None = None
    """User name of the assignee."""
    draft: bool = False
    """Open merge requests as drafts."""
    auto_merge: bool = False
    """Merge as soon as GitLab allows it."""
    approvals: Annotated[int, Field(ge=0, le=20)] = 0
    """Approvals that Headgate waits for before it merges, by people who neither requested nor wrote the change."""
    approver_role: Level = "maintainer"
    """Role from which on an approval counts: `developer`, `maintainer` or `owner` of this repository's project."""


class Window(StrictModel):
    """Days and times at which an environment accepts automatic changes."""

    days: Days = "mon-sun"
    """Days of the week: `mon-thu`, `mon,wed`, or a list."""
    since: Clock = Field(default="00:00", alias="from")
    """Time at which it opens: `09:00`."""
    to: Clock = "24:00"
    """Time at which it closes; on the next day if it is earlier than `from`."""
    time_zone: TimeZone = "UTC"
    """Time zone of these times: `Europe/Berlin`."""
    exceptions: ListOf[DateRange] = Field(default=(), alias="except")
    """Days on which it does not open: `2026-12-24`, or a range: `2026-12-20/2027-01-06`."""

    @property
    def weekdays(self) -> frozenset[str]:
        """The days of the week."""
        days: set[str] = set()
        for entry in self.days.split(","):
            first, _, last = entry.strip().partition("-")
            begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            days |= {WEEKDAYS[day % 7] for day in range(begin, end + 1 if end >= begin else end + 8)}
        return frozenset(days)


Windows = Annotated[tuple[Window, ...], BeforeValidator(listed, json_schema_input_type=Window | list[Window])]


class DeployedTo(StrictModel):
    """Settings of an environment in the apps' projects. `{app}` and `{environment}` are replaced by the names."""

    tier: Literal["production", "staging", "testing", "development", "other"] | None = None
    """Tier by which GitLab counts deployments (DORA). Default: GitLab derives it from the name."""
    agent: Annotated[int, Field(gt=0)] | None = None
    """Id of the GitLab agent whose cluster the dashboard shows; it must belong to the app's own project."""
    namespace: Text | None = None
    """Namespace that the dashboard shows."""
    flux: Text | None = None
    """Flux object that the dashboard watches: `kustomize.toolkit.fluxcd.io/v1/namespaces/NS/kustomizations/NAME`."""

    @model_validator(mode="after")
    def _dashboard(self) -> DeployedTo:
        if self.flux is not None and self.namespace is None:
            raise ValueError("flux only with namespace")
        return self


class Environment(StrictModel):
    """An environment: what it accepts, and how its YAML is delivered."""

    takes: Takes = ()
    """Accepted hand-offs and promotions: a rule or a list of rules."""
    delivery: Delivery
    """`commit`: directly to the default branch; `review`: by a merge request."""
    kubernetes: Minor | None = None
    """Version of Kubernetes that Helm and the schemas assume, in quotes: `"1.34"`."""
    api_versions: Texts = ()
    """API versions of the cluster beyond Kubernetes' own, for charts that check them (`monitoring.coreos.com/v1`)."""
    cluster: Name | None = None
    """Cluster that this environment runs on; environments of the same cluster share its objects. Default: its own."""
    templates: Literal["follow", "promote"] = "follow"
    """`follow`: a template change takes effect immediately; `promote`: it is promoted with the release."""
    refuse: ListOf[RiskFlag] = ()
    """Risks that fail an app here: a change that adds one does not land; all other apps do. Default: none."""
    on_failure: Literal["keep", "roll-back"] = "keep"
    """`roll-back`: when a new version fails in the cluster and never was healthy, go back to the one before, once."""
    windows: Windows = ()
    """When it accepts automatic changes: a window or a list of windows. Default: always."""
    review: Review = Review()
    """Settings of merge requests."""
    output: Output = Output()
    """Location of the final YAML."""
    gitlab: DeployedTo | None = None
    """Environment pages in GitLab: tier, and the Kubernetes dashboard."""


class Dependencies(StrictModel):
    """External charts and bases that an app's own config may use."""

    hosts: ListOf[Host] = ()
    """Hosts of charts and Kustomize bases, with the port unless it is 443: `charts.example.com`. Default: none."""


class SettingsLimits(StrictModel):
    """Limits of renders and changes."""

    removed_percent: Annotated[int, Field(ge=0, le=100)] = 50
    """A render that removes more than this share of an app's objects (and more than three) is refused."""
    render_seconds: Annotated[int, Field(ge=1, le=3600)] = 15
    """Processor time of a render, in seconds; by the clock it may take twice as long."""
    render_mebibytes: Annotated[int, Field(ge=64, le=65536)] = 1024
    """Memory of a render, in MiB."""
    input_mebibytes: Annotated[int, Field(ge=1, le=4096)] = 64
    """YAML read or rendered for an app in an environment, in MiB."""
    nodes: Annotated[int, Field(ge=1000, le=100_000_000)] = 2_500_000
    """Values, lists and maps in that YAML, with aliases expanded."""
    objects: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """Objects of an app in an environment."""
    output_mebibytes: Annotated[int, Field(ge=1, le=4096)] = 32
    """Final YAML of an app in an environment, in MiB."""


class CommitIdentity(StrictModel):
    """Author or committer of a commit."""

    name: PersonName
    """Name."""
    email: Email
    """Email address, which the project's push rules must accept."""


class Commits(StrictModel):
    """Author, committer and subject of Headgate's commits."""

    author: CommitIdentity | None = None
    """Author of every commit. Default: from git's configuration."""
    committer: CommitIdentity | None = None
    """Committer of every commit; signatures are verified against its address. Default: from git's configuration."""
    message: Text | None = None
    """Subject with `{action}`, `{apps}`, `{environments}` and `{what}`. Headgate adds body and trailers."""


Proofs = Annotated[ListOf[Literal["trigger-jobs", "id-token", "upstream"]], Field(min_length=1)]


class GitLabSettings(StrictModel):
    """The location of this repository, so that no pipeline variable decides where tokens go."""

    url: Url
    """GitLab's address: `https://gitlab.example.com`."""
    project: Project
    """Path of the project of this repository."""
    registry: Host | None = None
    """Host of its container registry, to which job tokens go: `registry.example.com`."""
    proofs: Proofs = ("trigger-jobs", "id-token")
    """Accepted proofs of a hand-off's sender: `trigger-jobs` or instead `upstream`; `id-token`."""

    @model_validator(mode="after")
    def _one_of_triggers(self) -> GitLabSettings:
        if {"trigger-jobs", "upstream"} <= set(self.proofs):
            raise ValueError("either upstream or trigger-jobs, since with both the weaker proof would count")
        return self


class Registry(StrictModel):
    """Settings of a registry."""

    realms: Hosts = ()
    """Other hosts that may receive its credentials for a token: `auth.example.com`."""


class Settings(StrictModel):
    """headgate.yaml: the environments, how each is delivered, and who may do what."""

    version: Literal[1]
    """Version of this file's format."""
    environments: Annotated[Mapping[Name, Environment], Field(min_length=1)]
    """The environments, in the order of promotion."""
    clusters: Mapping[Name, Cluster] = Field(default_factory=dict)
    """Clusters with Flux in them: its objects, and what says whether apps are healthy. Default: none."""
    gitlab: GitLabSettings | None = None
    """GitLab and the project there. Required in GitLab's pipelines."""
    registries: Mapping[Host, Registry] = Field(default_factory=dict)
    """Registries by host that need settings: other hosts that get their credentials."""
    permissions: Mapping[Name, Mapping[Permission, Level]] = Field(default_factory=dict)
    """Access level that a person needs, by environment and action. Default: maintainer."""
    workloads: Mapping[KindName, ValuePath] = Field(default_factory=dict)
    """Custom resources that run images: `Rollout.argoproj.io: spec.template.spec` (a pod) or a path to an image."""
    scopes: Mapping[KindName, Literal["cluster", "namespace"]] = Field(default_factory=dict)
    """Scope of custom resources that Headgate does not know: `Widget.example.com: namespace`."""
    sandbox: Literal["required", "optional"] = "required"
    """Whether files of apps are refused if the engine cannot lock itself in."""
    dependencies: Dependencies = Dependencies()
    """External charts and bases that an app's own config may use."""
    limits: SettingsLimits = SettingsLimits()
    """Limits of renders and changes."""
    validation: Validation = Validation()
    """Findings of validation by the API server's own rules: levels, waivers, custom resources."""
    policies: Mapping[PolicyName, PolicySettings] = Field(default_factory=dict)
    """Outcomes for apps that violate the policies in `policies/`, by the policy's name. Default: a warning."""
    commits: Commits = Commits()
    """Author, committer and subject of commits."""
    notifications: Mapping[Name, Notification] = Field(default_factory=dict)
    """Receivers of notifications about what lands, waits and fails: webhooks, Slack, Teams. Default: none."""
    records: Literal["default", "branch"] = "default"
    """Branch of pending records: the default branch, or `headgate/_state` if the bot may not push to that."""
