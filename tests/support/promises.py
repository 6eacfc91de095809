"""What each command of the documentation promises, by its verb.

``kept`` runs one command and asserts that it did what its arguments say: on the manifest repository, its branches,
GitLab and files, not by words alone.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from headgate import __version__
from headgate.bounded import counted
from support.cli import Ran
from support.manifests import git
from support.place import HOST, IMAGE, NEWER, VERSIONS, Place
from support.preparations import PREPARATIONS, tag_of
from support.terminal import Run
from support.typed import State, Typed, parse


def kept(place: Place, words: list[str], run: Run) -> Ran:
    """Run a command, and assert that it keeps its promise. It ends with 0 then, as for a person who reads on."""
    typed = parse(words, Path.cwd())
    if typed.verb in PREPARATIONS:
        PREPARATIONS[typed.verb](place, typed)
        git(place.checkout, "pull", "--quiet", "--ff-only")
    before = None if typed.writes else State.of(place, typed)
    ran = run()
    context = f"headgate {' '.join(words)}\n{ran.out}{ran.err}"
    if typed.verb == "doctor":
        assert ran.code == ("wrong" in ran.out), context
    else:
        assert ran.code == 0, context
    assert ran.out, context
    try:
        if before is not None:
            assert State.of(place, typed) == before, "something was written"
        PROMISES[typed.verb](place, typed, ran)
    except AssertionError as error:
        raise AssertionError(f"{context}\n{error}") from error
    return Ran(0, ran.out, ran.err)


def _status(place: Place, typed: Typed, ran: Ran) -> None:
    rows = {(app, environment) for app in apps(typed.manifests) for environment in environments(typed)}
    rows = {row for row in rows if not typed["name"] or row[0] == typed["name"]}
    assert rows
    if typed["json"]:
        found = json.loads(ran.out)["apps"]
        assert {(one["app"], one["environment"]) for one in found} == rows
        for one in found:  # "names each part's commit, pipeline and digest"
            for part in one["release"]["images"].values():
                assert {"commit", "digest"} <= part.keys()
        return
    lines = [line.split() for line in ran.out.splitlines()]
    assert rows == {(line[0], line[1]) for line in lines[1:-1]}
    assert lines[0][:5] == ["APP", "ENVIRONMENT", "VERSION", "COMMIT", "AGE"]
    for name, environment in rows:
        for part in place.release(typed.manifests, environment, name)["images"].values():
            (row,) = (line for line in lines if line[:2] == [name, environment])
            assert row[2:4] == [part["tag"], part["commit"][:12]]


def environments(typed: Typed) -> list[str]:
    """Return those that a command is about: named by it, else all of the repository."""
    settings = yaml.safe_load((typed.manifests / "headgate.yaml").read_text())
    return list(typed.given.get("environments") or settings["environments"])


def apps(folder: Path) -> set[str]:
    """Return the apps of a manifest repository, by its checkout."""
    return {path.parent.name for path in folder.glob("apps/*/app.yaml")}


def _history(place: Place, typed: Typed, ran: Ran) -> None:
    if typed["json"]:
        steps = json.loads(ran.out)["steps"]
        tags = [part["tag"] for one in steps for part in one["release"]["images"].values()]
        assert {tag for _, tag, _ in VERSIONS} <= set(tags)
        assert len([one for one in steps if one["is_version"]]) >= 2 * len(VERSIONS)  # in each environment
        assert all(len(one["commit"]) == 40 for one in steps)
        return
    for commit, tag, _ in VERSIONS:
        assert tag in ran.out
        assert commit in ran.out or not typed["name"]
    if typed["actor"]:
        assert typed["actor"] in ran.out
    if typed["environment"]:
        others = {"dev", "production"} - {typed["environment"]}
        assert not re.search(rf"^shop in {others.pop()}", ran.out, re.MULTILINE), ran.out


def _where(place: Place, typed: Typed, ran: Ran) -> None:
    wanted = next(version for version in VERSIONS if version[1] in typed["image"] or version[2] in typed["image"])
    _, tag, digest = wanted
    if not typed["json"]:
        assert f"{IMAGE}:{tag}" in ran.out
        assert f"@sha256:{digest}" in ran.out
        assert re.search(r" runs +\S+ \S+ +(mia|Ada)$", ran.out, re.MULTILINE), ran.out
        return
    places = json.loads(ran.out)["places"]
    running = {("shop", name) for name in ("dev", "production") if tag_of(place, typed, name) == tag}
    assert {(one["app"], one["environment"]) for one in places if one["state"] == "runs"} == running
    if typed["history"]:
        assert {one["environment"] for one in places if one["state"] == "ran"} == {"dev", "production"}
    for one in places:
        assert one["image"] == f"{IMAGE}:{tag}@sha256:{digest:0<64}"
        assert one["handed_off"]["project"] == "acme/shop"


def _verify(place: Place, typed: Typed, ran: Ran) -> None:
    number = len(list(itertools.product(typed["apps"] or ["shop"], environments(typed))))
    assert re.search(rf"\b{number} as hydrated", ran.out)


def _promote(place: Place, typed: Typed, ran: Ran) -> None:
    source, target = (place.release(typed.manifests, typed[end])["images"] for end in ("source", "target"))
    same = {name: (part["commit"], part["digest"]) for name, part in target.items()} == {
        name: (part["commit"], part["digest"]) for name, part in source.items()
    }
    assert same == typed.writes


def _roll_back(place: Place, typed: Typed, ran: Ran) -> None:
    release = place.release(typed.manifests, typed["environment"])
    (part,) = release["images"].values()
    assert part["commit"].startswith(typed["to"] if len(typed["to"]) > 3 else VERSIONS[0][0])
    assert release["pin"]["reason"] == typed["reason"]
    assert part["digest"] in git(typed.manifests, "grep", "image:", place.tip(typed.manifests), "--", "deploy")


def _pin(place: Place, typed: Typed, ran: Ran) -> None:
    release = place.release(typed.manifests, typed["environment"])
    assert release["pin"]["reason"] == typed["reason"]


def _unpin(place: Place, typed: Typed, ran: Ran) -> None:
    assert "pin" not in place.release(typed.manifests, typed["environment"])


def _freeze(place: Place, typed: Typed, ran: Ran) -> None:
    found = place.read(typed.manifests, f"environments/{typed['environment']}/frozen.yaml")
    assert found["reason"] == typed["reason"]


def _thaw(place: Place, typed: Typed, ran: Ran) -> None:
    assert place.read(typed.manifests, f"environments/{typed['environment']}/frozen.yaml") is None


def _deliver_held(place: Place, typed: Typed, ran: Ran) -> None:
    (part,) = place.release(typed.manifests, typed["environment"])["images"].values()
    assert (part["tag"] == NEWER[1]) == (typed.verb == "deliver-held")
    held = f"apps/shop/releases/{typed['environment']}/held"
    assert not git(typed.manifests, "ls-tree", "-r", place.tip(typed.manifests), held)


def _deliver(place: Place, typed: Typed, ran: Ran) -> None:
    manifests = place.checkout if str(typed["manifests"]).startswith("https:") else typed.manifests
    (part,) = place.release(manifests, "dev")["images"].values()
    (image,) = typed["images"]
    assert f"{part['repository']}:{part['tag']}@{part['digest']}" == image
    assert part["commit"] == typed["commit"]


def _remove(place: Place, typed: Typed, ran: Ran) -> None:
    gone = environments(typed) if typed["environments"] else ["dev", "production"]
    for environment in ("dev", "production"):
        is_gone = typed.writes and environment in gone
        assert (place.release(typed.manifests, environment) is None) == is_gone
        files = git(typed.manifests, "ls-tree", "-r", place.tip(typed.manifests), f"deploy/{environment}/shop")
        assert (not files) == is_gone
    if not typed.writes:
        assert "shop" in ran.out


def _rehydrate(place: Place, typed: Typed, ran: Ran) -> None:
    tip = place.tip(typed.manifests)
    for environment in environments(typed):
        text = git(typed.manifests, "show", f"{tip}:deploy/{environment}/shop/deployment.apps-web.yaml")
        assert ("replicas: 4" in text) == typed.writes
        assert f"shop in {environment}" in ran.out


def _refresh(place: Place, typed: Typed, ran: Ran) -> None:
    branch = git(Path(place.remote), "show", "headgate/production/shop:apps/shop/releases/production/release.yaml")
    assert NEWER[1] in branch


def _hydrate(place: Place, typed: Typed, ran: Ran) -> None:
    number = len(typed["apps"] or apps(typed.manifests)) * len(environments(typed))
    assert f"{counted(number, 'app-environment')}: " in ran.out
    if typed["upgrade"]:
        assert ("output: 2" in (typed.manifests / "headgate.lock").read_text()) == typed.writes
        assert ('"web"' in (typed.manifests / "deploy/dev/shop/deployment.apps-web.yaml").read_text()) != typed.writes


def _app_add(place: Place, typed: Typed, ran: Ran) -> None:
    found = yaml.safe_load((typed.manifests / f"apps/{typed['name']}/app.yaml").read_text())
    assert found["project"] == typed["app_project"]
    if typed["config"]:
        assert (found["config"], found["grant"]) == (typed["config"], list(typed["grant"]))
    if typed["template"]:
        assert found["template"] == typed["template"]
    if (typed.manifests / "CODEOWNERS").exists():
        assert f"apps/{typed['name']}" in (typed.manifests / "CODEOWNERS").read_text()
    assert "component: $CI_SERVER_FQDN/headgate/headgate/deliver@" in ran.out


def _environment_add(place: Place, typed: Typed, ran: Ran) -> None:
    found = yaml.safe_load((typed.manifests / "headgate.yaml").read_text())["environments"]
    assert found[typed["name"]]["delivery"] == typed["delivery"]
    if typed["after"]:
        names = list(found)
        assert names[names.index(typed["after"]) + 1] == typed["name"]
    if typed["takes"]:
        kind, _, name = typed["takes"].partition(":")
        assert found[typed["name"]]["takes"] == {kind: name}
    for app_name in typed["apps_"] or ():
        own = yaml.safe_load((typed.manifests / f"apps/{app_name}/app.yaml").read_text())
        assert typed["name"] in own.get("environments", [typed["name"]])
    for ci in typed.manifests.glob("*gitlab-ci.yml"):
        if "options:" in ci.read_text():
            assert typed["name"] in ci.read_text(), ci


def _template_add(place: Place, typed: Typed, ran: Ran) -> None:
    files = texts(typed.manifests / f"templates/{typed['name']}")
    assert files
    if typed["like"] and "Chart.yaml" in files:  # whose name is that of its folder
        copied = texts(typed.manifests / f"templates/{typed['like']}")
        assert files == {name: text.replace(typed["like"], typed["name"]) for name, text in copied.items()}


def texts(folder: Path) -> dict[str, str]:
    """Return the files below a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def _init(place: Place, typed: Typed, ran: Ran) -> None:
    folder = typed.folder / typed["directory"]
    if not typed.writes:
        assert "would" in ran.out or "to set" in ran.out, ran.out
        return
    settings = yaml.safe_load((folder / "headgate.yaml").read_text())
    assert settings["gitlab"]["url"] == typed["server"] == f"https://{HOST}"
    assert settings["gitlab"]["project"] == typed["project"]
    for environment in typed["environments"] or ():
        name, _, delivery = environment.partition(":")
        assert settings["environments"][name]["delivery"] == delivery
    assert (folder / ".gitlab-ci.yml").is_file()
    assert (folder / "intake.gitlab-ci.yml").is_file() == (typed["setup"] == "intake")
    if typed["app_project"]:
        assert "component: $CI_SERVER_FQDN/headgate/headgate/deliver@" in ran.out
    if not typed["apply"]:
        return
    manifests = place.find(typed["project"])
    assert manifests.variables_role == "no_one_allowed"
    assert "HEADGATE_TOKEN" in manifests.variables
    assert manifests.schedules
    if typed["setup"] == "intake":
        intake = place.find(f"{typed['project']}-intake")
        assert intake.ci_config_path == f"intake.gitlab-ci.yml@{typed['project']}"
        assert intake.path in place.find(typed["app_project"]).allowlist


def _doctor(place: Place, typed: Typed, ran: Ran) -> None:
    asked = [one for one in place.gitlab.requests if one.method == "GET" and "/api/v4/projects/" in one.path]
    assert asked
    if typed["json"]:
        found = json.loads(ran.out)
        assert {one["state"] for one in found["findings"]} <= {"ok", "wrong", "cannot tell"}
        assert found["hand_offs"] in ("ok", "wrong", "cannot tell")
        return
    assert "hand-offs" in ran.out.splitlines()[-1]
    assert re.search(r"^(ok|wrong|cannot tell) ", ran.out, re.MULTILINE)


def _site(place: Place, typed: Typed, ran: Ran) -> None:
    folder = typed.folder / typed["folder"]
    found = json.loads((folder / "index.json").read_text())
    (app_found,) = found["apps"]
    assert app_found["app"] == "shop"
    assert set(app_found["environments"]) == {"dev", "production"}
    assert "shop" in (folder / "apps/shop/index.html").read_text()
    history = json.loads((folder / "apps/shop/index.json").read_text())["history"]
    assert [len(steps) for steps in history.values()] == [len(VERSIONS)] * 2


def _compare(place: Place, typed: Typed, ran: Ran) -> None:
    shown = " ".join(ran.out.split())
    assert VERSIONS[-1][1] in shown
    assert NEWER[1] in shown


def _preview(place: Place, typed: Typed, ran: Ran) -> None:
    commit = git(typed.folder, "rev-parse", "HEAD")
    assert f"This is what {commit[:12]} of acme/shop would change; nothing was written." in ran.out
    assert "Deployment shop/web" in ran.out


def _wait(place: Place, typed: Typed, ran: Ran) -> None:
    assert f"{typed['name']} in {typed['environment']}: healthy since 20" in ran.out


def _warm(place: Place, typed: Typed, ran: Ran) -> None:
    assert re.match(r"shard 1 of 4: \d of 2 app-environments", ran.out)


def _version(place: Place, typed: Typed, ran: Ran) -> None:
    found = dict(line.split(None, 1) for line in ran.out.splitlines())
    assert found["headgate"].startswith(__version__)
    assert {"helm", "kustomize", "engine", "jinja2"} <= found.keys()


def _schema(place: Place, typed: Typed, ran: Ran) -> None:
    found = json.loads(ran.out)
    schemas = [found] if typed["file"] else list(found.values())
    assert {schema["type"] for schema in schemas} == {"object"}


def _explain(place: Place, typed: Typed, ran: Ran) -> None:
    assert typed["code"] in ran.out
    assert len(ran.out.splitlines()) > 1


def _completion(place: Place, typed: Typed, ran: Ran) -> None:
    assert "headgate" in ran.out
    if typed["shell"] == "bash":
        script = f"{ran.out}\ncomplete -p headgate"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert "headgate" in done.stdout


def _demo(place: Place, typed: Typed, ran: Ran) -> None:
    assert re.search(r"\$ headgate deliver .*\$ headgate deliver .*\$ headgate rehydrate ", ran.out, re.DOTALL)


def _adopt(place: Place, typed: Typed, ran: Ran) -> None:
    source = (typed.folder / typed["source"]).resolve()
    is_written = bool(git(source, "branch", "--list", typed["branch"]))
    if not typed.writes:
        return
    assert is_written

    def show(path: str) -> Any:
        return yaml.safe_load(git(source, "show", f"{typed['branch']}:{path}"))

    environments = show("headgate.yaml")["environments"]
    for environment in typed["environments"] or ():
        name, _, delivery = environment.partition(":")
        assert environments[name]["delivery"] == delivery
    assert git(source, "ls-tree", "-r", "--name-only", typed["branch"], "deploy/")
    if typed["report"]:
        assert "Nothing differs" in (typed.folder / typed["report"]).read_text()
    if typed["merge_request"]:
        (request,) = place.gitlab.open_requests(place.project)
        assert request.source == typed["branch"]
        assert "Nothing differs" in request.description
    for image in typed["images"] or ():
        app_name, _, repository = image.partition("=")
        (part,) = show(f"apps/{app_name}/releases/dev/release.yaml")["images"].values()
        assert part["repository"] == repository
        assert part["project"] == typed["project"]


PROMISES: Mapping[str, Callable[[Place, Typed, Ran], None]] = {
    "adopt": _adopt,
    "app add": _app_add,
    "compare": _compare,
    "completion": _completion,
    "deliver": _deliver,
    "deliver-held": _deliver_held,
    "demo": _demo,
    "discard-held": _deliver_held,
    "doctor": _doctor,
    "environment add": _environment_add,
    "explain": _explain,
    "freeze": _freeze,
    "history": _history,
    "hydrate": _hydrate,
    "init": _init,
    "pin": _pin,
    "preview": _preview,
    "promote": _promote,
    "refresh": _refresh,
    "rehydrate": _rehydrate,
    "remove": _remove,
    "roll-back": _roll_back,
    "schema": _schema,
    "site": _site,
    "status": _status,
    "template add": _template_add,
    "thaw": _thaw,
    "unpin": _unpin,
    "verify": _verify,
    "version": _version,
    "wait": _wait,
    "warm": _warm,
    "where": _where,
}
