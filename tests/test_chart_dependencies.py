"""Charts and bases from elsewhere, brought along by a hand-off; hydration afterwards finds nobody to ask."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.dependencies.requirements import digests
from headgate.errors import ConfigError, DependencyError
from support.brought import APP, config_of, deliver, delivered, hydrated_again, locked, released, set_config, stage_with
from support.charts import REDIS, ChartRepository, chart_yaml, helm, objects
from support.charts import write as write_files
from support.cli import headgate
from support.fileserver import serve_files
from support.manifests import HEADGATE_YAML, ManifestRepository, git
from support.stage import make_stage, write_app
from support.templates import config_map


@pytest.fixture
def charts(tmp_path: Path) -> Iterator[ChartRepository]:
    """Return a chart repository with one chart, and its server."""
    root = tmp_path / "charts"
    root.mkdir()
    with serve_files(root) as server:
        repository = ChartRepository(server, tmp_path / "sources")
        repository.add("redis", "1.2.3", dict(REDIS))
        yield repository


def web_chart(charts: ChartRepository, **more: Any) -> str:
    """Return the Chart.yaml of an app that needs redis."""
    return chart_yaml("web", "0.1.0", [{"name": "redis", "version": "^1.2.0", "repository": charts.server.url, **more}])


# Charts that are brought along


def test_charts_are_brought_along_and_give_what_helm_gives(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    deep = {
        "Chart.yaml": chart_yaml("queue", "2.0.0", [{"name": "redis", "version": "1.2.3", "repository": ""}]),
        "templates/queue.yaml": config_map("queue", at="{{ .Release.Name | quote }}"),
        **{f"charts/redis/{name}": text for name, text in REDIS.items()},
    }
    charts.add("queue", "2.0.0", deep)
    needs: list[dict[str, Any]] = [
        {"name": "redis", "version": "^1.2.0", "repository": charts.server.url, "alias": "cache"},
        {"name": "queue", "version": "~2", "repository": charts.server.url, "condition": "queue.enabled"},
        {"name": "redis", "version": ">=1 <2", "repository": charts.server.url, "tags": ["a&b"], "alias": "off"},
    ]
    files = {
        "values.yaml": "cache: {size: 2}\nqueue: {redis: {size: 3}}\ntags: {a&b: false}\n",
        "templates/web.yaml": config_map("web", of="{{ .Release.Name }}"),
    }
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, chart_yaml("web", "0.1.0", needs), files)
    built = tmp_path / "built"
    shutil.copytree(stage.app / "deploy", built)
    helm(built, "repo", "add", "test", charts.server.url)
    helm(built, "dependency", "build", str(built))
    expected = objects(helm(built, "template", "web", str(built), "--namespace", "web", "--kube-version", "1.34"))
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    charts.server.asked.clear()
    assert [one["metadata"]["name"] for one in expected] == ["queue", "redis-cache", "redis-redis", "web"]
    assert delivered(stage) == expected
    assert hydrated_again(stage, tmp_path).code == 0
    assert charts.server.asked == []


@pytest.mark.long
def test_what_was_brought_along_is_recorded_and_lies_open(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    assert deliver(stage).code == 0
    digest = hashlib.sha256((charts.server.root / "redis-1.2.3.tgz").read_bytes()).hexdigest()
    assert released(stage) == [
        {
            "url": charts.server.url,
            "name": "redis",
            "version": "1.2.3",
            "digest": f"sha256:{digest}",
            "folder": "charts/redis",
        }
    ]
    own = ["Chart.lock", "Chart.yaml"]
    assert config_of(stage) == own + [f"charts/redis/{name}" for name in sorted(REDIS)]


@pytest.mark.long
def test_same_commit_gives_the_same_bytes(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    before = git(stage.remote, "rev-parse", "main")
    assert deliver(stage).code == 0
    first = git(stage.remote, "rev-parse", "main^{tree}")
    git(stage.remote, "update-ref", "refs/heads/main", before)
    assert deliver(stage).code == 0
    assert git(stage.remote, "rev-parse", "main^{tree}") == first


@pytest.mark.long
def test_each_file_is_fetched_once_for_all_environments(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    manifests.write({"headgate.yaml": HEADGATE_YAML.replace('tag: "v*", order: semver', "branch: main")})
    text = (manifests.path / "headgate.yaml").read_text()
    manifests.write({"headgate.yaml": text + f"dependencies: {{hosts: ['{charts.server.host}']}}\n"})
    stage = make_stage(tmp_path, manifests, APP.replace("[dev]", "[dev, production]"))
    locked(stage, web_chart(charts), {})
    charts.server.asked.clear()
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert charts.server.paths() == ["/index.yaml", "/redis-1.2.3.tgz"]
    assert git(stage.remote, "rev-parse", "headgate/production/web^{commit}")


@pytest.mark.long
def test_a_promotion_takes_along_what_was_brought_along(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    text = HEADGATE_YAML.lstrip().replace('tag: "v*", order: semver', "promotion: dev")
    manifests.write({"headgate.yaml": text + f"dependencies: {{hosts: ['{charts.server.host}']}}\n"})
    stage = make_stage(tmp_path, manifests, APP.replace("[dev]", "[dev, production]"))
    locked(stage, web_chart(charts), {})
    assert deliver(stage).code == 0
    charts.server.asked.clear()
    ran = headgate("promote", "web", "--from", "dev", "--to", "production", "--manifests", str(stage.remote))
    assert ran.code == 0, ran.err
    release = yaml.safe_load(stage.show("headgate/production/web", "apps/web/releases/production/release.yaml"))
    assert release["config"]["dependencies"] == released(stage)
    assert stage.show("headgate/production/web", "deploy/production/web/configmap-redis-redis.yaml")
    assert charts.server.asked == []


@pytest.mark.long
def test_a_chart_that_is_vendored_is_not_fetched(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    stage = stage_with(tmp_path, manifests)
    folder = write_files(stage.app / "deploy", {"Chart.yaml": web_chart(charts)})
    (folder / "web.yaml").unlink()
    helm(folder, "dependency", "update", str(folder))
    shutil.rmtree(folder / ".helm")
    write_app(stage, {})
    charts.server.asked.clear()
    assert deliver(stage).code == 0
    assert charts.server.asked == []
    assert config_of(stage) == ["Chart.lock", "Chart.yaml", "charts/redis-1.2.3.tgz"]
    assert released(stage) is None


@pytest.mark.long
def test_the_chart_of_a_local_chart_is_brought_along(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    part = write_files(tmp_path / "part", {"Chart.yaml": web_chart(charts).replace("name: web", "name: part")})
    helm(part, "dependency", "update", str(part))
    root = chart_yaml("web", "0.1.0", [{"name": "part", "version": "*", "repository": "file://parts/one"}])
    lock = (part / "Chart.lock").read_text()
    set_config(stage, {"Chart.yaml": root, "parts/one/Chart.yaml": (part / "Chart.yaml").read_text()})
    write_app(stage, {"deploy/parts/one/Chart.lock": lock})
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert [one["metadata"]["name"] for one in delivered(stage)] == ["redis-redis"]
    assert released(stage)[0]["folder"] == "parts/one/charts/redis"


@pytest.mark.long
def test_two_versions_of_one_chart(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    text = config_map("new-{{ .Chart.Name }}", size="{{ .Values.size | quote }}")
    charts.add("redis", "3.0.0", {**REDIS, "Chart.yaml": chart_yaml("redis", "3.0.0"), "templates/redis.yaml": text})
    both = [
        {"name": "redis", "version": version, "repository": charts.server.url, "alias": alias}
        for version, alias in (("1.2.3", "old"), ("3.0.0", "new"))
    ]
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, chart_yaml("web", "0.1.0", both), {})
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert [one["metadata"]["name"] for one in delivered(stage)] == ["new-new", "redis-old"]
    assert [one["folder"] for one in released(stage)] == ["charts/redis-1.2.3", "charts/redis-3.0.0"]


@pytest.mark.long
def test_what_a_chart_from_elsewhere_does_is_checked_like_the_apps_own(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    random = config_map("redis", password="{{ randAlphaNum 8 }}")
    charts.add("redis", "1.2.9", {**REDIS, "Chart.yaml": chart_yaml("redis", "1.2.9"), "templates/redis.yaml": random})
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    assert (
        f"charts/redis/templates/redis.yaml:6 in {stage.origin}: ConfigMap redis: data.password changes with every"
        in deliver(stage).err
    )


# The lock file


@pytest.mark.long
def test_a_lock_file_is_required(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    set_config(stage, {"Chart.yaml": web_chart(charts)})
    ran = deliver(stage)
    assert ran.code == ConfigError.code
    assert f"deploy/Chart.yaml in {stage.origin}: Chart.lock not found" in ran.err
    assert "run 'helm dependency update' in deploy and commit Chart.lock" in ran.err


def test_a_lock_file_that_does_not_fit_any_more(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    write_app(stage, {"deploy/Chart.yaml": web_chart(charts).replace("^1.2.0", "^1.1.0")})
    ran = deliver(stage)
    assert ran.code == ConfigError.code
    assert f"deploy/Chart.lock in {stage.origin}: outdated, since Chart.yaml has changed" in ran.err


# Charts that are refused


def test_a_host_that_is_not_allowed(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, "charts.example.com")
    locked(stage, web_chart(charts), {})
    charts.server.asked.clear()
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert f"deploy/Chart.lock in {stage.origin}: host {charts.server.host} is not allowed" in ran.err
    hint = f"headgate.yaml: dependencies: {{hosts: [{charts.server.host}, charts.example.com]}}"
    assert hint in ran.err
    assert charts.server.asked == []


def test_an_archive_that_is_another_one_than_the_index_says(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    index = charts.server.root / "index.yaml"
    index.write_text(index.read_text().replace("digest: ", "digest: 0").replace("version: v0", "version: v"))
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert f"{charts.server.url}/redis-1.2.3.tgz has the digest sha256:" in ran.err
    assert "it has been changed" in ran.err


@pytest.mark.long
def test_an_archive_of_another_chart(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    other = charts.add("other", "1.2.3", {**REDIS, "Chart.yaml": chart_yaml("other", "1.2.3")})
    shutil.copy(other, charts.server.root / "redis-1.2.3.tgz")
    index = yaml.safe_load(charts.index().read_text())
    index["entries"]["redis"] = [{**index["entries"]["other"][0], "name": "redis"}]
    (charts.server.root / "index.yaml").write_text(yaml.safe_dump(index))
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert "gives other 1.2.3 for redis 1.2.3" in ran.err


def test_a_version_that_is_gone(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    (charts.server.root / "redis-1.2.3.tgz").unlink()
    charts.add("redis", "1.2.4", {**REDIS, "Chart.yaml": chart_yaml("redis", "1.2.4")})
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert f"{charts.server.url} has no redis 1.2.3, only other versions" in ran.err


def test_a_repository_that_is_not_there(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    (charts.server.root / "index.yaml").unlink()
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert f"{charts.server.url}/index.yaml answered 404" in ran.err


@pytest.mark.long
def test_an_index_that_points_to_another_host(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository
) -> None:
    with serve_files(charts.server.root) as other:
        charts.index("--url", other.url)
        stage = stage_with(tmp_path, manifests, charts.server.host)
        locked(stage, web_chart(charts), {})
        other.asked.clear()
        ran = deliver(stage)
        assert ran.code == DependencyError.code
        assert f"host {other.host} is not allowed" in ran.err
        assert other.asked == []
        manifests.write(
            {"headgate.yaml": HEADGATE_YAML + f"dependencies: {{hosts: ['{charts.server.host}', '{other.host}']}}\n"}
        )
        manifests.commit()
        git(manifests.path, "push", "--quiet", "origin", "main")
        assert deliver(stage).code == 0
        assert other.paths() == ["/redis-1.2.3.tgz"]


@pytest.mark.long
@pytest.mark.parametrize("address", ["http://charts.example.com", "https://me:secret@charts.example.com", "ftp://a.b"])
def test_addresses_that_are_not_read_from(
    tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository, address: str
) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    locked(stage, web_chart(charts), {})
    lock = stage.app / "deploy/Chart.lock"
    chart = web_chart(charts).replace(charts.server.url, "'@mine'")
    write_app(stage, {"deploy/Chart.yaml": chart, "deploy/Chart.lock": signed_lock(lock.read_text(), chart, address)})
    ran = deliver(stage)
    assert ran.code == DependencyError.code, ran.err
    assert "expected an https:// address without a password" in ran.err
    assert "secret" not in ran.err


def signed_lock(text: str, chart: str, address: str) -> str:
    """Return a lock file for another repository, with the digest that fits."""
    lock = yaml.safe_load(text)
    lock["dependencies"][0]["repository"] = address
    digest = min(digests(yaml.safe_load(chart)["dependencies"], lock["dependencies"]))
    return yaml.safe_dump({"dependencies": lock["dependencies"], "digest": digest})


# Other ways to say what is needed


@pytest.mark.long
def test_a_repository_by_its_alias(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    chart = web_chart(charts).replace(charts.server.url, "'@mine'")
    folder = write_files(stage.app / "deploy", {"Chart.yaml": chart})
    helm(folder, "repo", "add", "mine", charts.server.url)
    locked(stage, chart, {})
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert released(stage)[0]["url"] == charts.server.url


def test_a_chart_of_the_first_format(tmp_path: Path, manifests: ManifestRepository, charts: ChartRepository) -> None:
    stage = stage_with(tmp_path, manifests, charts.server.host)
    needs = yaml.safe_load(web_chart(charts))["dependencies"]
    needs[0] |= {"tags": ["<a> & b"], "import-values": [{"parent": "size", "child": "z"}, "data"], "condition": "a,b"}
    chart = "apiVersion: v1\nname: web\nversion: 0.1.0\n"
    locked(stage, chart, {"requirements.yaml": yaml.safe_dump({"dependencies": needs})})
    assert "requirements.lock" in git(stage.app, "ls-files")
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert [one["metadata"]["name"] for one in delivered(stage)] == ["redis-redis"]
