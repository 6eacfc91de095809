"""The configuration of a manifest repository: frozen records, and the apps, which are parsed on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from headgate.clusters import cluster_names
from headgate.engine.budget import MEBI, Budget
from headgate.engine.reading import SourceText, documents_request, read_ahead
from headgate.errors import ConfigError, HeadgateError, Location
from headgate.model import App, AppEnvironment, FreezeRecord, Lock, Review, Settings
from headgate.records import frozen_record
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from headgate.model import Artifact, Environment, Image, Mirror
    from headgate.model.fields import Delivery

Owner = tuple[str, str]
"""An app and an environment by their names: what a folder of final YAML belongs to."""

_NO_OVERRIDES = AppEnvironment()


@frozen_record
class AppRecord:
    """An app: its name (that of its folder), its folder, and its app.yaml."""

    name: str
    folder: str
    app: App
    text: SourceText

    def place(self, *path: str | int) -> Location:
        """Return the location of a key of app.yaml."""
        return self.text.place(path)

    def environments(self, settings: Settings) -> list[str]:
        """Return the environments that it runs in, in the order of headgate.yaml."""
        chosen = self.app.environments
        return [name for name in settings.environments if chosen is None or name in chosen]

    def here(self, environment: str) -> AppEnvironment:
        """Return the app's own settings for an environment."""
        return (self.app.environments or {}).get(environment) or _NO_OVERRIDES

    def namespace(self, environment: str) -> str:
        """Return the namespace of its objects in an environment."""
        return self.here(environment).namespace or self.app.namespace or self.name

    def images(self, environment: str) -> dict[str, Image]:
        """Return its images in an environment, by name."""
        return {**self.app.images, **self.here(environment).images}

    def delivery(self, settings: Settings, environment: str) -> Delivery:
        """Return the delivery in an environment."""
        return self.here(environment).delivery or settings.environments[environment].delivery

    def release_folder(self, environment: str) -> str:
        """Return the folder of its release in an environment."""
        return f"{self.folder}/releases/{environment}"


LoadApp = Callable[[str, str], AppRecord]
"""Parses and checks the app.yaml in a folder, of the app with a name. Raises ConfigError, YamlError."""


class Apps(Mapping[str, "AppRecord"]):
    """The valid apps by name. Parses each app.yaml on first use, since a run uses few of thousands."""

    def __init__(self, tree: Tree, folders: Sequence[str], load: LoadApp) -> None:
        """Take the folders of apps; of two with the same name, the first is the app. ``load`` parses one."""
        self._tree, self._load_app = tree, load
        self._folders: dict[str, str] = {}
        self._duplicates: dict[str, HeadgateError] = {}
        self._loaded: dict[str, AppRecord | HeadgateError] = {}
        for folder in folders:
            name = folder.rsplit("/", 1)[1]
            first = self._folders.setdefault(name, folder)
            if first != folder:
                self._duplicates[folder] = ConfigError(
                    f"the app '{name}' exists twice, expected a unique name",
                    where=Location(f"{folder}/app.yaml"),
                    hint=f"rename one of the folders; the other is {first}",
                )

    @property
    def names(self) -> list[str]:
        """The names of all apps, including invalid ones."""
        return list(self._folders)

    @property
    def broken(self) -> dict[str, HeadgateError]:
        """The error of each invalid app, by folder."""
        self.load(self._folders)
        results = {self._folders[name]: error for name, error in self._loaded.items()} | self._duplicates
        return {folder: error for folder, error in sorted(results.items()) if isinstance(error, HeadgateError)}

    def error(self, name: str) -> HeadgateError | None:
        """Return the error of an app, if any."""
        duplicates = (error for folder, error in self._duplicates.items() if folder.rsplit("/", 1)[1] == name)
        result = self._load(name) if name in self._folders else None
        return result if isinstance(result, HeadgateError) else next(duplicates, None)

    def mentioning(self, text: str) -> list[AppRecord]:
        """Return the apps whose app.yaml may contain a text in a value, without parsing most others.

        YAML contains it literally unless it has an escape, a tag, or another encoding than UTF-8.
        """
        names = self._mentioning(text)
        self.load(names)
        return [self[name] for name in names if name in self]

    def broken_by(self, text: str) -> dict[str, HeadgateError]:
        """Return the errors of the invalid apps whose app.yaml contains a text, or cannot be read, by their names."""
        names = self._containing(text.encode(), b"\0")
        return {name: error for name in names if isinstance(error := self._load(name), HeadgateError)}

    def _mentioning(self, text: str) -> list[str]:
        return self._containing(text.encode(), b"\\", b"!", b"\0")

    def _containing(self, *marks: bytes) -> list[str]:
        found = {name for mark in marks for name, text in self._texts.items() if mark in text}
        return [name for name in self._folders if name in found]

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        files = {name: f"{folder}/app.yaml" for name, folder in self._folders.items()}
        texts = self._tree.texts(files.values())
        return {name: texts[file] if file in texts else self._text(file) for name, file in files.items()}

    def _text(self, file: str) -> bytes:
        try:
            return self._tree.read(file)
        except HeadgateError:
            return b"\0"  # unreadable, so it may contain anything

    def load(self, names: Collection[str]) -> None:
        """Load many apps, whose files are read together. Names that no app has are left out."""
        names = [name for name in names if name in self._folders]
        requests = []
        for name in [name for name in names if name not in self._loaded]:
            file = f"{self._folders[name]}/app.yaml"
            with suppress(HeadgateError):  # `_load` keeps the error
                requests.append(documents_request(self._tree.read(file), file))
        read_ahead(requests)
        for name in names:
            self._load(name)

    def _load(self, name: str) -> AppRecord | HeadgateError:
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load_app(self._folders[name], name)
            except HeadgateError as error:
                self._loaded[name] = error
        return self._loaded[name]

    def __getitem__(self, name: str) -> AppRecord:
        """Return an app. Raises KeyError if it is missing or invalid."""
        result = self._load(name)
        if isinstance(result, HeadgateError):
            raise KeyError(name)
        return result

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the valid apps."""
        self.load(self._folders)
        return (name for name in self._folders if name in self)

    def __len__(self) -> int:
        """Return the number of valid apps."""
        return sum(1 for _ in self)


@frozen_record
class Configuration:
    """The configuration of a manifest repository. ``policies`` are the files of its folder for them.

    ``proposed_policies`` are those of a merge request, which do not count before they are merged.
    """

    settings: Settings
    apps: Apps
    lock: Lock | None
    frozen: dict[str, FreezeRecord] = field(default_factory=dict)
    policies: Tree = field(default_factory=lambda: Tree({}))
    proposed_policies: Tree | None = None

    @property
    def broken(self) -> dict[str, HeadgateError]:
        """The error of each invalid app, by folder."""
        return self.apps.broken

    @property
    def budget(self) -> Budget:
        """The budget of a render."""
        limits = self.settings.limits
        return Budget(
            seconds=limits.render_seconds,
            memory=limits.render_mebibytes * MEBI,
            bytes_in=limits.input_mebibytes * MEBI,
            nodes=limits.nodes,
            objects=limits.objects,
            bytes_out=limits.output_mebibytes * MEBI,
        )

    def environment(self, name: str) -> Environment:
        """Return the settings of an environment."""
        return self.settings.environments[name]

    def cluster(self, environment: str) -> str:
        """Return the name of an environment's cluster."""
        return self.settings.environments[environment].cluster or environment

    def clusters(self, environment: str) -> frozenset[str]:
        """Return the names of all clusters that an environment runs on."""
        return cluster_names(self.settings, environment)

    def review(self, app: str, environment: str) -> Review:
        """Return the settings of an app's merge requests, which add to those of the environment. No app: of many."""
        settings = self.settings.environments.get(environment)
        review = settings.review if settings else Review()
        record = self.apps.get(app) if app else None
        if record is None:
            return review
        own = record.app.review
        more = {"labels": (*review.labels, *own.labels), "reviewers": (*review.reviewers, *own.reviewers)}
        return review.model_copy(update={name: tuple(dict.fromkeys(values)) for name, values in more.items()})

    def output_folder(self, app: str, environment: str) -> str:
        """Return the folder of an app's final YAML in an environment."""
        path = self.settings.environments[environment].output.path
        return path.replace("{environment}", environment).replace("{app}", app)

    def mirror(self, app: str, environment: str) -> Mirror | None:
        """Return the mirror branch and the folder of an app there, if configured."""
        mirror = self.settings.environments[environment].output.mirror
        if mirror is None:
            return None
        branch = mirror.branch.replace("{environment}", environment)
        path = mirror.path.replace("{environment}", environment).replace("{app}", app)
        return mirror.model_copy(update={"branch": branch, "path": path})

    def artifact(self, app: str, environment: str) -> tuple[Artifact, str] | None:
        """Return the OCI artifact with an app's final YAML, and the app's folder in it (empty: all of it), if any."""
        found = self.settings.environments[environment].output.oci
        if found is None:
            return None
        repository = found.repository.replace("{environment}", environment).replace("{app}", app)
        return found.model_copy(update={"repository": repository}), "" if "{app}" in found.repository else app

    def guarded_by(self, branch: Configuration) -> Configuration:
        """Return this configuration with the limits of the target branch, which a merge request cannot change."""
        target = branch.settings
        guards: dict[str, object] = {
            "limits": target.limits,
            "sandbox": target.sandbox,
            "gitlab": target.gitlab,
            "validation": target.validation,
            "policies": target.policies,
            "environments": {
                name: found.model_copy(update={"refuse": target.environments[name].refuse})
                if name in target.environments
                else found
                for name, found in self.settings.environments.items()
            },
        }
        return replace(
            self,
            settings=self.settings.model_copy(update=guards),
            policies=branch.policies,
            proposed_policies=self.policies,
        )

    def without_sandbox(self) -> Configuration:
        """Return this configuration for a trial on a machine where the engine cannot lock itself in."""
        return replace(self, settings=self.settings.model_copy(update={"sandbox": "optional"}))

    def pairs(self, *, mentioning: str = "") -> list[tuple[AppRecord, str]]:
        """Return the apps (all, or those whose app.yaml may contain a text) with each of their environments."""
        apps = self.apps.mentioning(mentioning) if mentioning else self.apps.values()
        return [(app, name) for app in apps for name in app.environments(self.settings)]
