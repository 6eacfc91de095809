"""The first files of a manifest repository and the steps in GitLab, for each set-up. Pure, but for its texts.

The texts are under ``scaffold/``; ``__NAME__`` in them stands for a fact of the installation.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote

from headgate.config import parse
from headgate.errors import ConfigError
from headgate.model import App, Output, Settings
from headgate.paths import APPS, SETTINGS, TEMPLATES
from headgate.records import frozen_record
from headgate.schemas import schema_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Setup = Literal["direct", "intake", "token"]
SETUPS: tuple[Setup, ...] = get_args(Setup)
CI, INTAKE_CI = ".gitlab-ci.yml", "intake.gitlab-ci.yml"
CODE_OWNERS = "CODEOWNERS"
CODE_OWNERS_PLACES = (CODE_OWNERS, f"docs/{CODE_OWNERS}", f".gitlab/{CODE_OWNERS}")
README = "README.md"
SCHEMAS = ".headgate"
"""The folder in which editors find the schemas."""
_TEMPLATE = "web"
TEXTS = Path(__file__).resolve().parent / "scaffold"

# The pipelines that a project does not run, so that a hand-off can come in only one way.
CLOSED: Mapping[Setup, str] = {
    "direct": '$CI_PIPELINE_SOURCE == "trigger"',
    "intake": '$CI_PIPELINE_SOURCE == "pipeline" || $CI_PIPELINE_SOURCE == "trigger"',
    "token": '$CI_PIPELINE_SOURCE == "pipeline"',
}
_MOST_OPTIONS = 50
"""The largest number of options of an input: https://docs.gitlab.com/ci/inputs/#define-input-parameters-with-specinputs."""
_CLOSED_AT_INTAKE = '$CI_PIPELINE_SOURCE != "pipeline" && $CI_PIPELINE_SOURCE != "web"'


@frozen_record(kw_only=False)
class Installation:
    """The facts about an installation. ``environments``: names and deliveries in the order of promotion.

    ``intake`` is the project that apps trigger in the set-up *intake*; ``components`` the project of Headgate's
    components, ``version`` which of them the apps include (``1``, ``1.2.3`` or a commit), ``pinned`` which the
    manifest repository, where another version of an engine is a change to review. ``owners`` are the app's Code Owners.
    """

    server: str
    project: str
    setup: Setup
    app: str
    app_project: str
    image: str
    registry: str
    intake: str
    environments: tuple[tuple[str, str], ...]
    version: str
    pinned: str
    components: str = "headgate/headgate"
    owners: str = ""
    kubernetes: str = "1.34"

    @property
    def triggered(self) -> str:
        """The project that an app's pipeline triggers."""
        return self.intake if self.setup == "intake" else self.project


def likely_registry(server: str) -> str:
    """Return where an installation's container registry usually is: ``registry.`` for ``gitlab.``."""
    host = re.sub(r"^https?://|[:/].*$", "", server)
    return f"registry.{host}" if host == "gitlab.com" else f"registry.{host.removeprefix('gitlab.')}"


def first_files(
    wanted: Installation, settings: Settings | None = None, *, brings_namespace: bool = True
) -> dict[str, str]:
    """Return the first files of a manifest repository, checked as every run checks them.

    ``settings`` are those of its headgate.yaml, where that is there already; ``brings_namespace`` as for
    `starter_template`. Raises ConfigError for what none of them takes.
    """
    _check(wanted)
    names = list(settings.environments) if settings else [name for name, _ in wanted.environments]
    first = _text("headgate.yaml", wanted, environments=_environments(wanted))
    parse(first.encode(), SETTINGS, Settings)
    files = {
        SETTINGS: schema_line(SETTINGS) + first,
        CI: ci_file(wanted, names),
        f"{APPS}/{wanted.app}/app.yaml": app_yaml(wanted, "web"),
        CODE_OWNERS: code_owners(wanted, settings),
        README: _text(README, wanted),
        **{f"{SCHEMAS}/{name}.schema.json": schema_text(name) for name in (SETTINGS, "app.yaml", "template.yaml")},
        **starter_template(brings_namespace=brings_namespace),
    }
    if wanted.setup == "intake":
        files[INTAKE_CI] = ci_file(wanted, names, at_intake=True)
    return files


def app_yaml(
    wanted: Installation,
    template: str,
    config: str = "",
    grant: Sequence[str] = (),
    environments: Sequence[str] = (),
    *,
    has_schema: bool = True,
) -> str:
    """Return an app's app.yaml: its template or config, and its grant. Raises ConfigError.

    ``has_schema``: the repository has the schema that editors look for.
    """
    lines = [f"template: {template}"] if template else []
    lines += [f"config: {config}"] if config else []
    lines += [f"grant: {json.dumps(list(grant))}"] if grant else []
    lines += [f"environments: [{', '.join(environments)}]"] if environments else []
    if template and not config:
        lines.append(_MAY_SET)
    file = f"{APPS}/{wanted.app}/app.yaml"
    text = _text("app.yaml", wanted) + "\n".join([*lines, ""])
    parse(text.encode(), file, App)
    return schema_line(file) + text if has_schema else text


_MAY_SET = """\
# With these two lines, values.yaml in the folder 'deploy' of the app's repository may set the granted values:
# config: deploy
# grant: [replicas, "env.*"]"""


def schema_line(file: str) -> str:
    """Return the line by which editors find a file's schema: https://github.com/redhat-developer/yaml-language-server."""
    up, name = "../" * file.count("/"), file.rpartition("/")[2]
    return f"# yaml-language-server: $schema={up}{SCHEMAS}/{name}.schema.json\n"


def starter_template(*, brings_namespace: bool) -> dict[str, str]:
    """Return the files of a starter template. ``brings_namespace``: it must create the apps' Namespaces."""
    root = TEXTS / "template"
    found = sorted(path for path in root.rglob("*") if path.is_file())
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in found}
    facts = str(brings_namespace).lower()
    return {f"{TEMPLATES}/{_TEMPLATE}/{path}": text.replace("__NAMESPACE__", facts) for path, text in texts.items()}


def ci_file(wanted: Installation, environments: Sequence[str], *, at_intake: bool = False) -> str:
    """Return the CI file of the manifest project, or of the intake project."""
    return _text(
        "gitlab-ci.yml",
        wanted,
        where=wanted.intake if at_intake else wanted.project,
        closed=_CLOSED_AT_INTAKE if at_intake else CLOSED[wanted.setup],
        environment_choice=f"options: {json.dumps(['', *environments])}"
        if len(environments) < _MOST_OPTIONS
        else "regex: ^[a-z0-9-]{0,63}$",
    )


def app_lines(wanted: Installation) -> str:
    """Return the lines for the CI file of an app's repository."""
    return _text("app.token.yml" if wanted.setup == "token" else "app.pipeline.yml", wanted)


def steps_text(wanted: Installation, *, for_another_app: bool = False) -> str:
    """Return the text of the steps in GitLab, with the names of its settings left open: all, or what an app adds."""
    folder = "steps/app" if for_another_app else "steps"
    return _text(f"{folder}/{wanted.setup}.md", wanted, project_id=quote(wanted.project, safe=""))


def code_owners(wanted: Installation, settings: Settings | None = None) -> str:
    """Return the section of CODEOWNERS for an app: people's files, and those that only merge requests change.

    ``settings`` are those of a headgate.yaml that is there already.
    https://docs.gitlab.com/user/project/codeowners/reference/
    """
    if settings is not None:
        known = settings.environments.items()
        outputs = [(name, at.output.path) for name, at in known if at.delivery == "review"]
    else:
        outputs = [(name, Output().path) for name, delivery in wanted.environments if delivery == "review"]
    folders = [path.replace("{environment}", name).replace("{app}", wanted.app) for name, path in outputs]
    paths = [f"{APPS}/{wanted.app}/app.yaml", f"{APPS}/{wanted.app}/values*.yaml", *(f"{at}/" for at in folders)]
    return _text(CODE_OWNERS, wanted, owned="\n".join(f"/{path} {wanted.owners}" for path in paths))


def clusters_section(wanted: Installation, environments: Sequence[str]) -> str:
    """Return the section of headgate.yaml by which Headgate writes the Flux objects: a cluster for each environment."""
    return "clusters:\n" + "".join(_text("cluster.yaml", wanted, name=name) for name in environments)


def flux_steps(wanted: Installation) -> str:
    """Return the steps in each cluster."""
    host = wanted.server.partition("://")[2].partition("/")[0]
    group, _, repository = wanted.project.rpartition("/")
    return _text("steps/flux.md", wanted, host=host, group=group, repository=repository)


def _check(wanted: Installation) -> None:
    version = r"~latest|[0-9]+(\.[0-9]+){0,2}|[0-9a-f]{40}"
    for what, value, pattern, expected in (
        ("server (--server)", wanted.server, _SERVER, "an address such as https://gitlab.example.com"),
        ("project (--project)", wanted.project, _PROJECT, "the path of a project, such as acme/manifests"),
        ("app's project (--app-project)", wanted.app_project, _PROJECT, "the path of a project, such as acme/shop"),
        ("version", wanted.version, version, "1, 1.2.3 or a commit in full"),
        ("component", wanted.components, _PROJECT, "the path of a project, such as headgate/headgate"),
        ("intake", wanted.intake, _PROJECT, "the path of a project, such as acme/intake"),
        ("owners (--owners)", wanted.owners, _OWNERS, "users, groups or roles: '@acme/team @dana'"),
    ):
        if not re.fullmatch(pattern, value):
            raise ConfigError(f"the {what} is {value!r}, expected {expected}")


_SERVER = r"https?://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._-]+)*"
_OWNERS = r"@@?[A-Za-z0-9_][\w.+/-]*( @@?[A-Za-z0-9_][\w.+/-]*)*"
_PROJECT = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+"


def _environments(wanted: Installation) -> str:
    texts, before = [], ""
    for name, delivery in wanted.environments:
        takes = f"{{promotion: {before}}}" if before else "{branch: main}"
        texts.append(_text("environment.yaml", wanted, name=name, takes=takes, delivery=delivery).rstrip("\n"))
        before = name
    return "\n".join(texts)


def _text(file: str, wanted: Installation, **more: str) -> str:
    """Return a text of ``scaffold/`` with the facts filled in."""
    facts = {key: value for key, value in vars(wanted).items() if isinstance(value, str)}
    facts |= {"triggered": wanted.triggered, **more}
    text = (TEXTS / file).read_text(encoding="utf-8")
    return re.sub("__([A-Z]+(?:_[A-Z]+)*)__", lambda found: facts[found[1].lower()], text)


def as_setup(name: str) -> Setup:
    """Return a set-up by its name. Raises ConfigError."""
    for setup in SETUPS:
        if setup == name:
            return setup
    raise ConfigError(f"the set-up is {name!r}, expected one of: {', '.join(SETUPS)}")
