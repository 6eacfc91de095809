"""The command that takes over a running manifest repository."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from headgate.arguments.program import DryRun, Json, SigningKey, app, finish


class LayoutChoice(StrEnum):
    """Where apps and environments are found."""

    AUTO = "auto"
    FLUX = "flux"
    FOLDERS = "folders"


Texts = list[str] | None


@app.command()
def adopt(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="The running repository: a checkout.")] = Path(),
    manifests: Annotated[
        Path | None,
        typer.Option("--manifests", metavar="DIR", help="Write into this checkout.", show_default="the same"),
    ] = None,
    environments: Annotated[
        Texts,
        typer.Option(
            "--environment", metavar="ENV[:DELIVERY]", help="dev:commit, production:review, in the order of promotion."
        ),
    ] = None,
    apps: Annotated[
        Texts,
        typer.Option(
            "--app",
            metavar="APP=FOLDER[:VALUES]",
            help="Only this app: its folder, with {environment} in it, and values files of a chart. Repeatable.",
        ),
    ] = None,
    leave_out: Annotated[
        Texts, typer.Option("--leave-out", metavar="APP", help="Do not adopt this app. Repeatable.")
    ] = None,
    layout: Annotated[
        LayoutChoice,
        typer.Option("--layout", help="Find apps by what Flux's Kustomizations apply, or by the names of folders."),
    ] = LayoutChoice.AUTO,
    namespaces: Annotated[
        Texts,
        typer.Option(
            "--namespace",
            metavar="[APP=]NS",
            help="The namespace of objects that name none; may contain {environment}.",
        ),
    ] = None,
    hooks: Annotated[
        Texts, typer.Option("--hooks", metavar="APP=drop|keep", help="Drop or keep the chart's hooks. Repeatable.")
    ] = None,
    images: Annotated[
        Texts,
        typer.Option(
            "--image", metavar="APP=REPOSITORY", help="An image that the app's pipelines hand off. Repeatable."
        ),
    ] = None,
    projects: Annotated[
        Texts,
        typer.Option(
            "--app-project", metavar="APP=PROJECT", help="The project whose pipelines hand the app off. Repeatable."
        ),
    ] = None,
    digests: Annotated[
        bool, typer.Option("--digests", help="Resolve image tags to digests in their registries.")
    ] = False,
    kubernetes: Annotated[
        str, typer.Option("--kubernetes", help="The Kubernetes version that charts are rendered for.")
    ] = "1.34",
    charts: Annotated[
        Path | None,
        typer.Option("--charts", metavar="DIR", help="Folder of the charts and archives that HelmReleases name."),
    ] = None,
    today: Annotated[
        Path | None,
        typer.Option(
            "--today",
            metavar="DIR",
            help="Compare with ENV/APP.yaml in this folder: output of flux build, helm template or kustomize build.",
            show_default="the rendered files",
        ),
    ] = None,
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Write even if objects would differ from today.")
    ] = False,
    dry_run: DryRun = False,
    branch: Annotated[str, typer.Option("--branch", help="The branch that gets the commit.")] = "adopt-headgate",
    merge_request: Annotated[
        bool, typer.Option("--merge-request", help="Push the branch and open a merge request with the proof.")
    ] = False,
    server: Annotated[str, typer.Option("--server", metavar="URL", help="GitLab: https://gitlab.example.com")] = "",
    project: Annotated[str, typer.Option("--project", help="The manifest project: acme/manifests")] = "",
    token_variable: Annotated[
        str, typer.Option("--token-env", metavar="NAME", help="The variable with the token for the merge request.")
    ] = "HEADGATE_TOKEN",  # noqa: S107  a name
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Also write the proof as Markdown.")
    ] = None,
    signing_key: SigningKey = "",
    json: Json = False,
) -> None:
    """Take over a running manifest repository: write files that give the same final YAML, and prove it."""
    from headgate.commands import adopt as command  # noqa: PLC0415
    from headgate.commands.adopt_options import AdoptOptions  # noqa: PLC0415

    request = AdoptOptions(
        source=source,
        manifests=manifests,
        environments=tuple(environments or ()),
        apps=tuple(apps or ()),
        leave_out=tuple(leave_out or ()),
        layout=layout.value,
        namespaces=tuple(namespaces or ()),
        hooks=tuple(hooks or ()),
        images=tuple(images or ()),
        projects=tuple(projects or ()),
        digests=digests,
        kubernetes=kubernetes,
        charts=charts,
        today=today,
        accept_differences=accept_differences,
        dry_run=dry_run,
        branch=branch,
        merge_request=merge_request,
        server=server,
        project=project,
        token_variable=token_variable,
        report=report,
        signing_key=signing_key,
        json=json,
    )
    finish(lambda: command.run(request))
