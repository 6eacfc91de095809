"""Plain YAML, and which engine renders what."""

from __future__ import annotations

import pytest

from headgate.errors import ConfigError, RenderError, YamlError
from support.gitlab.web import Answer, Request, Server
from support.manifests import ManifestRepository
from support.templates import config_map, template


def test_plain_yaml_of_several_documents_and_files(manifests: ManifestRepository) -> None:
    two = config_map("a", x="1") + "---\n# only a comment\n---\n" + config_map("b", x="'{{ .not.a.template }}'")
    template(manifests, {"two.yaml": two, "sub/one.yml": config_map("c", x="y"), "values.yaml": "unused: true\n"})
    assert manifests.hydrate().code == 0
    assert list(manifests.output()) == [f"dev/web/configmap-{name}.yaml" for name in "abc"]


def test_an_engine_can_be_named(manifests: ManifestRepository) -> None:
    template(
        manifests,
        {"Chart.yaml.txt": "", "a.yaml": config_map("a", x="y"), "template.yaml": "engine: jinja2\n"},
    )
    (outcome,) = manifests.hydrate_json()
    assert outcome["engine"] == "jinja2"


def test_nothing_to_render(manifests: ManifestRepository) -> None:
    template(manifests, {"README.md": "nothing"})
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert "templates/web: nothing to render" in ran.err


def test_tabs_are_said_to_be_no_indentation(manifests: ManifestRepository) -> None:
    template(manifests, {"a.yaml": config_map("a", x="y")})
    manifests.write({"apps/web/values.yaml": "web:\n\treplicas: 2\n"})
    ran = manifests.hydrate()
    assert ran.code == YamlError.code
    assert "apps/web/values.yaml:2: not YAML" in ran.err
    assert "indent with spaces, not with tabs" in ran.err


def test_values_schema_of_a_template(manifests: ManifestRepository) -> None:
    schema = '{"properties": {"replicas": {"type": "integer"}}}'
    files: dict[str, str | bytes] = {
        "a.yaml.j2": config_map("a", x="y"),
        "schema.json": schema,
        "template.yaml": "values_schema: schema.json\n",
    }
    template(manifests, files)
    manifests.write({"apps/web/values.yaml": "replicas: many\n"})
    ran = manifests.hydrate()
    assert ran.code == ConfigError.code
    assert "templates/web/schema.json: replicas: 'many' is not of type 'integer'" in ran.err


@pytest.mark.parametrize(
    "schema",
    ["5", "[]", '{"$ref": "#"}', '{"$ref": "#/$defs/gone"}', '{"$ref": "file:///etc/hostname"}', "[" * 100_000, "\xff"],
)
def test_values_schema_that_is_none_is_its_templates_error(manifests: ManifestRepository, schema: str) -> None:
    files: dict[str, str | bytes] = {"schema.json": schema.encode("latin-1")}
    template(manifests, {"a.yaml.j2": config_map("a", x="y"), "template.yaml": "values_schema: schema.json\n", **files})
    ran = manifests.hydrate()
    assert ran.code == ConfigError.code
    assert "templates/web/schema.json: " in ran.err


def test_values_schema_fetches_nothing(manifests: ManifestRepository) -> None:
    """Hydration depends on the repository alone."""
    asked: list[Request] = []

    def answer(request: Request) -> Answer:
        asked.append(request)
        return Answer(200, {})

    server = Server(answer)
    schema = f'{{"$ref": "{server.url}/schema.json"}}'
    files: dict[str, str | bytes] = {"schema.json": schema, "template.yaml": "values_schema: schema.json\n"}
    template(manifests, {"a.yaml.j2": config_map("a", x="y"), **files})
    ran = manifests.hydrate()
    server.stop()
    assert (ran.code, asked) == (ConfigError.code, [])
    assert "let each $ref lead to a definition in this file" in ran.err
