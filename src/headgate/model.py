"""The files of a manifest repository, declared once: what is read, checked, documented and given as JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from headgate import valuepath

Engine = Literal["helm", "kustomize", "jinja2", "plain"]
Delivery = Literal["commit", "review"]
Hooks = Literal["drop", "keep"]
Level = Literal["developer", "maintainer", "owner"]
Verb = Literal["deliver", "promote", "roll-back", "pin", "freeze", "remove", "rehydrate"]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Name = Annotated[str, StringConstraints(pattern=rf"^{LABEL}$", max_length=63)]
Folder = Annotated[str, StringConstraints(pattern=r"^[^/\\\s][^\\\s]*$", max_length=400)]
Text = Annotated[str, StringConstraints(min_length=1)]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Project = Annotated[str, StringConstraints(pattern=r"^[\w.+-]+(/[\w.+-]+)+$")]
Minor = Annotated[str, StringConstraints(pattern=r"^v?1\.\d+(\.\d+)?$")]
Duration = Annotated[str, StringConstraints(pattern=r"^\d+[mhd]$")]
KindName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")]


def _check_folder(value: str) -> str:
    if any(part in ("", ".", "..") or part.startswith(".git") for part in value.split("/")):
        raise ValueError("a folder inside the repository, without '.' and '..'")
    return value


def _check_path(value: str) -> str:
    valuepath.parse(value)
    return value


SafeFolder = Annotated[Folder, BeforeValidator(lambda v: _check_folder(v) if isinstance(v, str) else v)]
ValuePath = Annotated[Text, BeforeValidator(lambda v: _check_path(v) if isinstance(v, str) else v)]


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _keyed(key: str) -> Any:
    return lambda value: {key: value} if isinstance(value, str) else value


def _named(value: Any) -> Any:
    return dict.fromkeys(value, None) if isinstance(value, (list, tuple)) and _all_names(value) else value


def _all_names(value: Any) -> bool:
    return all(isinstance(item, str) for item in value)


class Record(BaseModel):
    """What all files have in common: unknown keys are errors, types are not guessed, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Take(Record):
    """One kind of hand-off that an environment accepts: a branch, a tag or a promotion."""

    branch: Text | None = None
    """Pattern of branches (`main`, `release/*`) whose hand-offs are accepted."""
    tag: Text | None = None
    """Pattern of tags (`v*`) whose hand-offs are accepted."""
    promotion: Name | None = None
    """Environment from which releases may be promoted."""
    auto: bool | Duration = False
    """With `promotion`: follow by itself, at once (`true`) or after a time (`30m`, `2h`, `1d`)."""
    order: Literal["ancestry", "semver"] | None = None
    """How newer is told from older: by git history (branches) or by the version in the tag (tags)."""
    protected: bool = True
    """Whether the branch or tag must be protected in GitLab."""

    @model_validator(mode="after")
    def _one_source(self) -> Take:
        if sum(source is not None for source in (self.branch, self.tag, self.promotion)) != 1:
            raise ValueError("exactly one of branch, tag and promotion")
        if self.auto and self.promotion is None:
            raise ValueError("auto only beside promotion")
        return self


Takes = Annotated[
    tuple[Take, ...],
    BeforeValidator(_listed, json_schema_input_type=Take | list[Take]),
]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple, json_schema_input_type=list[Text])]


class Review(Record):
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


class Mirror(Record):
    """A branch that repeats an environment's YAML after it is on the default branch."""

    branch: Text
    """Branch to write; may hold `{environment}`."""
    path: Text = "{app}"
    """Folder of an app on that branch; may hold `{environment}` and `{app}`."""


class Output(Record):
    """Where the final YAML goes."""

    path: SafeFolder = "deploy/{environment}/{app}"
    """Folder of one app in one environment; may hold `{environment}` and `{app}`."""
    mirror: Mirror | None = None
    """A branch on which the same YAML is wanted too."""


class Environment(Record):
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
    review: Review = Review()
    """How merge requests are made."""
    output: Output = Output()
    """Where the final YAML goes."""


class Kustomize(Record):
    """What Kustomize may do beyond reading the files that it is given."""

    remote_bases: bool = False
    """Allow bases and resources from other hosts. Hydration then needs the network."""
    plugins: bool = False
    """Allow alpha plugins (functions and generators that run programs)."""
    helm_charts: bool = False
    """Allow `helmCharts` (runs Helm, which may need the network)."""


class Engines(Record):
    """What the engines may do beyond their defaults."""

    kustomize: Kustomize = Kustomize()
    """Kustomize's doors to the outside."""


class SettingsLimits(Record):
    """Guards against a change that is larger than anybody meant."""

    removed_percent: Annotated[int, Field(ge=0, le=100)] = 50
    """A render that removes more than this share of an app's objects (and more than three) is refused."""
    render_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Time that one render may take, in seconds."""
    render_mebibytes: Annotated[int, Field(ge=64, le=65536)] = 1024
    """Memory that one render may use, in MiB."""


class Settings(Record):
    """headgate.yaml: the environments, how each is delivered, and who may do what."""

    version: Literal[1]
    """Version of this file's format."""
    environments: Annotated[Mapping[Name, Environment], Field(min_length=1)]
    """The environments, in the order of promotion."""
    permissions: Mapping[Name, Mapping[Verb, Level]] = {}
    """Per environment and action: the access level that a person needs. Default: maintainer."""
    workloads: Mapping[KindName, ValuePath] = {}
    """Custom resources that run images: `Rollout.argoproj.io: spec.template.spec` (a pod) or a path to an image."""
    scopes: Mapping[KindName, Literal["cluster", "namespace"]] = {}
    """Scope of custom resources that Headgate does not know: `Widget.example.com: namespace`."""
    engines: Engines = Engines()
    """What the engines may do beyond their defaults."""
    limits: SettingsLimits = SettingsLimits()
    """Guards against a change that is larger than anybody meant."""


class Lock(Record):
    """headgate.lock: the versions that hydrated this repository. Another version refuses to."""

    version: Literal[1] = 1
    """Version of this file's format."""
    output: int
    """Version of the canonical output."""
    engines: Mapping[Engine, Text] = {}
    """Version of each engine that was used."""


class Image(Record):
    """One image of an app: which containers run it, and who may hand it off."""

    repository: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]+(:\d+)?(/[a-z0-9._-]+)*$", max_length=255)]
    """Repository without tag: `registry.example.com/acme/shop`."""
    project: Project | None = None
    """Project that hands it off. Default: the app's."""
    tag: Text | None = None
    """Pattern of tags that tells several images of one repository apart: `web-*`."""
    optional: bool = False
    """Whether it is fine that no container uses it."""


class Config(Record):
    """The app's own config: a folder of its repository."""

    path: SafeFolder
    """Folder in the project's repository."""
    project: Project | None = None
    """Project that holds it. Default: the app's."""
    include: Texts = ()
    """Patterns of the files to take (`*.yaml`, `templates/*`). Default: all."""


class Granted(Record):
    """One path of values that an app may set."""

    path: ValuePath
    """Path of the value: `replicaCount`, `env.*`, `hosts[*].name`."""
    text: bool = False
    """Allow line breaks, control characters and `{{` in strings."""


class Allow(Record):
    """What an app's own config may render beyond workloads in its namespace."""

    namespaces: Annotated[tuple[Name, ...], BeforeValidator(_as_tuple, json_schema_input_type=list[Name])] = ()
    """Further namespaces."""
    kinds: Annotated[tuple[KindName, ...], BeforeValidator(_as_tuple, json_schema_input_type=list[KindName])] = ()
    """Further kinds: `Secret`, `ClusterRole.rbac.authorization.k8s.io`."""


Images = Annotated[
    Mapping[Name, Annotated[Image, BeforeValidator(_keyed("repository"), json_schema_input_type=Text | Image)]],
    BeforeValidator(lambda v: v),
]
Grants = Annotated[
    tuple[Annotated[Granted, BeforeValidator(_keyed("path"), json_schema_input_type=Text | Granted)], ...],
    BeforeValidator(_as_tuple, json_schema_input_type=list[Text | Granted]),
]


class AppEnvironment(Record):
    """What one app does differently in one environment."""

    delivery: Delivery | None = None
    """`commit` or `review`, instead of the environment's."""
    takes: Annotated[Takes | None, BeforeValidator(lambda v: v)] = None
    """Accepted hand-offs and promotions, instead of the environment's."""
    namespace: Name | None = None
    """Namespace, instead of the app's."""
    images: Images = {}
    """Images that differ here, by name."""


AppEnvironments = Annotated[
    Mapping[
        Name,
        Annotated[
            AppEnvironment,
            BeforeValidator(lambda v: {} if v is None else v, json_schema_input_type=AppEnvironment | None),
        ],
    ],
    BeforeValidator(_named, json_schema_input_type=list[Name] | dict[Name, AppEnvironment | None]),
]


class App(Record):
    """app.yaml: one app, the projects that own its parts, its template or config, and its environments."""

    project: Project | None = None
    """The only project that may hand this app off. None: hydrated from template and values alone."""
    images: Images = {}
    """Images of the app, by name."""
    template: Name | None = None
    """Folder below `templates/` that renders it."""
    config: Annotated[
        Config | None,
        BeforeValidator(_keyed("path"), json_schema_input_type=Text | Config | None),
    ] = None
    """Folder of the app's repository: what is rendered, or, with a template, values that the grant filters."""
    grant: Grants = ()
    """Paths of values that the app's repository may set, beside those that the template grants."""
    environments: AppEnvironments = {}
    """Environments it runs in: a list, or a map with what differs there. Default: all."""
    namespace: Name | None = None
    """Namespace of its objects. Default: the app's name."""
    allow: Allow = Allow()
    """What its own config may render beyond workloads in its namespace."""
    hooks: Hooks | None = None
    """What becomes of Helm's install and upgrade hooks: `drop` or `keep`."""

    @model_validator(mode="after")
    def _has_something_to_render(self) -> App:
        if self.template is None and self.config is None:
            raise ValueError("a template, or config (a folder of the app's repository), or both")
        if "config" in self.images:
            raise ValueError("an image that is not called 'config', which is the name of another part")
        return self


class Template(Record):
    """template.yaml: optional facts about a shared template."""

    engine: Engine | None = None
    """Engine that renders it. Default: found from its files."""
    values_schema: SafeFolder | None = None
    """JSON Schema of the values: a file of the template."""
    grant: Grants = ()
    """Paths of values that every app which uses it may set."""
    hooks: Hooks | None = None
    """What becomes of Helm's install and upgrade hooks: `drop` or `keep`."""


class Part(Record):
    """Where a part of a release came from."""

    project: Project
    """Project that handed it off."""
    project_id: int | None = None
    """Number of that project in GitLab, pinned at the first hand-off."""
    commit: Commit
    """Commit it was built from."""
    ref: Text
    """Branch or tag, in full: `refs/heads/main`."""
    pipeline: int | None = None
    """Number of the pipeline that handed it off."""


class ReleasedImage(Part):
    """An image of a release."""

    repository: Text
    """Repository without tag."""
    tag: Text
    """Tag that was handed off."""
    digest: Digest
    """Digest that it stood for then; this is what runs."""

    @property
    def reference(self) -> str:
        """The image as containers name it: ``repository:tag@sha256:...``."""
        return f"{self.repository}:{self.tag}@{self.digest}"


class ReleasedConfig(Part):
    """The app's config in a release. Its files lie beside the release in `config/`."""

    path: Text
    """Folder in the project's repository."""


class Newest(Record):
    """The newest that was ever released of a part, which a rollback does not lower."""

    commit: Commit
    """Commit it was built from."""
    pipeline: int | None = None
    """Number of the pipeline that handed it off."""
    tag: Text | None = None
    """Tag of the image."""
    digest: Digest | None = None
    """Digest of the image."""


class Pin(Record):
    """Why automatic hand-offs do not reach an app here."""

    by: Text
    """Who pinned it."""
    reason: Text
    """Why."""
    since: Commit
    """Commit of the manifest repository from which on it holds."""


class Release(Record):
    """release.yaml: what one app runs in one environment. Written by Headgate, and by nobody else."""

    version: Literal[1] = 1
    """Version of this file's format."""
    images: Mapping[Name, ReleasedImage] = {}
    """The images, by their names in app.yaml."""
    config: ReleasedConfig | None = None
    """The app's config."""
    newest: Mapping[Name, Newest] = {}
    """The newest ever released, per part (`config` for the config)."""
    pin: Pin | None = None
    """Set while automatic hand-offs do not reach the app here."""
    template: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    """Tree of the template, where templates travel with releases."""


FILES: dict[str, type[Record]] = {
    "headgate.yaml": Settings,
    "headgate.lock": Lock,
    "app.yaml": App,
    "template.yaml": Template,
    "release.yaml": Release,
}


def schema(model: type[Record]) -> dict[str, Any]:
    """Return the JSON Schema of a file, with the text below each field as its description."""
    result = model.model_json_schema(mode="validation")
    texts = _field_texts()
    for name, definition in [(model.__name__, result), *result.get("$defs", {}).items()]:
        for key, property_schema in definition.get("properties", {}).items():
            property_schema["description"] = texts[name][key]
            property_schema.pop("title", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result}


def _field_texts() -> dict[str, dict[str, str]]:
    # Read from the source only when a schema is printed: Pydantic's own way does it at every start.
    import ast  # noqa: PLC0415

    classes = [node for node in ast.parse(Path(__file__).read_bytes()).body if isinstance(node, ast.ClassDef)]
    own = {node.name: dict(_texts_below(node.body)) for node in classes}
    for node in classes:
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in own:
                own[node.name] = {**own[base.id], **own[node.name]}
    return own


def _texts_below(body: list[Any]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        name = getattr(getattr(field, "target", None), "id", "")
        value = getattr(getattr(text, "value", None), "value", None)
        if name and isinstance(value, str):
            yield name, value
