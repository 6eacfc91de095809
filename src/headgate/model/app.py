"""app.yaml and template.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from headgate.model.fields import (
    Delivery,
    Engine,
    Hooks,
    KindName,
    ListOf,
    Name,
    Project,
    Repository,
    SafeFolder,
    StrictModel,
    Text,
    Texts,
    ValuePath,
    keyed,
    named,
)
from headgate.model.settings import Takes


class Image(StrictModel):
    """An image of an app: which containers run it, and who may hand it off."""

    repository: Repository
    """Repository without tag: `registry.example.com/acme/shop`."""
    project: Project | None = None
    """Project that hands it off. Default: the app's."""
    tag: Text | None = None
    """Pattern of tags that distinguishes several images of the same repository: `web-*`."""
    optional: bool = False
    """Whether the image may be unused."""


class Config(StrictModel):
    """The app's own config: a folder of its repository."""

    path: SafeFolder
    """Folder in the project's repository."""
    project: Project | None = None
    """Project that contains it. Default: the app's."""
    include: Texts = ()
    """Patterns of the files to take (`*.yaml`, `templates/*`). Default: all."""


class Granted(StrictModel):
    """A path of values that an app may set."""

    path: ValuePath
    """Path of the value: `replicaCount`, `env.*`, `hosts[*].name`."""
    text: bool = False
    """Allow line breaks, control characters and `{{` in strings."""


class Allow(StrictModel):
    """Objects that an app's own config may render beyond workloads in its namespace."""

    namespaces: ListOf[Name] = ()
    """Additional namespaces."""
    kinds: ListOf[KindName] = ()
    """Additional kinds: `Secret`, `ClusterRole.rbac.authorization.k8s.io`."""


Images = Annotated[
    Mapping[Name, Annotated[Image, BeforeValidator(keyed("repository"), json_schema_input_type=Text | Image)]],
    BeforeValidator(lambda v: v),
]
Grants = ListOf[Annotated[Granted, BeforeValidator(keyed("path"), json_schema_input_type=Text | Granted)]]


class AppEnvironment(StrictModel):
    """Settings of an app that differ in an environment."""

    delivery: Delivery | None = None
    """`commit` or `review`, instead of the environment's."""
    takes: Annotated[Takes | None, BeforeValidator(lambda v: v)] = None
    """Accepted hand-offs and promotions, instead of the environment's."""
    namespace: Name | None = None
    """Namespace, instead of the app's."""
    images: Images = Field(default_factory=dict)
    """Images that differ in this environment, by name."""


class AppReview(StrictModel):
    """What an app adds to the merge requests of reviewed environments."""

    labels: Texts = ()
    """Labels, in addition to those of the environment."""
    reviewers: Texts = ()
    """User names of reviewers, in addition to those of the environment."""


AppEnvironments = Annotated[
    Mapping[
        Name,
        Annotated[
            AppEnvironment,
            BeforeValidator(lambda v: {} if v is None else v, json_schema_input_type=AppEnvironment | None),
        ],
    ],
    BeforeValidator(named, json_schema_input_type=list[Name] | dict[Name, AppEnvironment | None]),
]


class App(StrictModel):
    """app.yaml: an app, the projects that own its parts, its template or config, and its environments."""

    project: Project | None = None
    """The only project that may hand off this app. Default: none; the app has only a template and values."""
    images: Images = Field(default_factory=dict)
    """Images of the app, by name."""
    template: Name | None = None
    """Folder in `templates/` that renders it."""
    config: Annotated[
        Config | None,
        BeforeValidator(keyed("path"), json_schema_input_type=Text | Config | None),
    ] = None
    """Folder of the app's repository: the source to render, or, with a template, values that the grant filters."""
    grant: Grants = ()
    """Paths of values that the app's repository may set, in addition to those that the template grants."""
    environments: AppEnvironments | None = None
    """Environments it runs in: a list, or a map with differing settings. Default: all."""
    namespace: Name | None = None
    """Namespace of its objects. Default: the app's name."""
    allow: Allow = Allow()
    """Objects that its own config may render beyond workloads in its namespace."""
    review: AppReview = AppReview()
    """Labels and reviewers of its merge requests, in addition to those of the environment."""
    hooks: Hooks | None = None
    """Treatment of Helm's install and upgrade hooks: `drop` or `keep`."""
    depends_on: ListOf[Name] = ()
    """Apps that must be healthy in the same environment before Flux applies this app."""
    tags: Literal["commit", "any"] = "commit"
    """`commit`: an image's tag or label must name the commit it was built from; `any`: it need not."""

    @model_validator(mode="after")
    def _has_something_to_render(self) -> App:
        if self.template is None and self.config is None:
            raise ValueError("a template, or config (a folder of the app's repository), or both")
        if "config" in self.images:
            raise ValueError("an image with another name than 'config', which is reserved for the config")
        return self


class TemplateSettings(StrictModel):
    """template.yaml: optional settings of a shared template."""

    engine: Engine | None = None
    """Engine that renders it. Default: detected from its files."""
    values_schema: SafeFolder | None = None
    """JSON Schema of the values: a file of the template."""
    grant: Grants = ()
    """Paths of values that every app which uses it may set."""
    hooks: Hooks | None = None
    """Treatment of Helm's install and upgrade hooks: `drop` or `keep`."""
