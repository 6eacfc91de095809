from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine.protocol import Request
from headgate.engine.reading import send
from headgate.errors import ManifestError, YamlError
from headgate.objects.canonical import file_name, to_files, to_text
from headgate.objects.manifest import Manifest, manifests
from support.trees import data_of, objects, one_object


def object_named(name: str, kind: str = "Service", api_version: str = "v1", namespace: str = "") -> Manifest:
    group = api_version.rpartition("/")[0]
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    data = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    return Manifest(group=group, kind=kind, namespace=namespace, name=name, data=data)


def refusal(text: str, source: str = "web.yaml") -> str:
    with pytest.raises(ManifestError) as caught:
        objects(text, source=source)
    return str(caught.value)


SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\n"


# Documents


def test_objects_are_read_in_order() -> None:
    text = f"# a comment\n---\n{SERVICE % 'a'}---\n---\n{SERVICE % 'b'}"
    assert [str(one) for one in objects(text, SERVICE % "c")] == ["Service a", "Service b", "Service c"]


def test_windows_line_breaks_are_no_part_of_values() -> None:
    (first, second) = objects((SERVICE % "a" + "---\n" + SERVICE % "b" + "text: |\n  x\n").replace("\n", "\r\n"))
    assert first.name == "a"
    assert second.data["text"] == "x\n"


def test_object_knows_what_and_who_it_is() -> None:
    found = one_object("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n")
    assert found.kind_name == "Deployment.apps"
    assert found.identity == ("apps", "Deployment", "shop", "web")
    assert str(found) == "Deployment shop/web"


def test_object_knows_its_file() -> None:
    first, second = objects(f"{SERVICE % 'a'}---\n{SERVICE % 'b'}", source="web.yaml")
    assert (first.source, second.source) == ("web.yaml", "web.yaml")


def test_broken_document_is_told_with_its_line() -> None:
    with pytest.raises(YamlError) as caught:
        objects(f"{SERVICE % 'a'}---\n{SERVICE % 'b'}spec: x: z\n", source="web.yaml")
    assert str(caught.value) == "web.yaml:8: not YAML: mapping values are not allowed in this context"


def test_text_after_the_end_of_a_document_is_broken_too() -> None:
    assert [one.name for one in objects(f"{SERVICE % 'a'}...\n---\n{SERVICE % 'b'}...\n")] == ["a", "b"]


# Values that were put in by number


def filled(text: str, *strings: str) -> list[Manifest]:
    """Return the objects of what Jinja2 printed, with the strings whose tokens are in it."""
    body = {"files": [{"file": "web.yaml", "text": text}], "strings": list(strings)}
    return manifests(send(Request(kind="objects", body=body)).objects)


def test_string_of_a_value_cannot_break_out_of_its_place() -> None:
    evil = "x\n---\napiVersion: v1\nkind: Secret"
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: \ue0000\ue001}\na: '\ue0001\ue001'\n"
    (found,) = filled(text, "web", evil)
    assert found.name == "web"
    assert found.data["a"] == evil


def test_broken_document_is_shown_with_the_values_in_their_places() -> None:
    with pytest.raises(YamlError, match=r"line 2 of the rendered text: b: c: web$"):
        filled("a: b\nb: c: \ue0000\ue001\n", "web")


# What is a Kubernetes object


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", 'web.yaml: expected a Kubernetes object, found ["a"]'),
        ("text\n", 'web.yaml: expected a Kubernetes object, found "text"'),
        ("8080\n", "web.yaml: expected a Kubernetes object, found 8080"),
        ("apiVersion: v1\nkind: Service\n", "web.yaml: Service has no name, expected metadata.name to be a string"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: 8080}\n",
            "web.yaml: Service has the name 8080, which is no string to Kubernetes\n  put metadata.name in quotes",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: y}\n",
            "web.yaml: Service has the name true, which is no string to Kubernetes\n  put metadata.name in quotes",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ../b}\n",
            "web.yaml: Service a has the invalid namespace ../b",
        ),
    ],
)
def test_what_is_no_object_is_refused(text: str, message: str) -> None:
    assert refusal(text) == message


def test_refusal_shows_yaml_and_not_python() -> None:
    message = refusal("replicas: 3\nimage: x\n")
    assert message.startswith("web.yaml: not a Kubernetes object: ")
    assert "replicas" in message
    assert "Decimal(" not in message
    assert "None" not in message


@pytest.mark.parametrize("api_version", ["", "3", "V1", "apps/", "/v1", "apps/v1/x", "../v1", "a b/v1", "apps/v1\\n"])
def test_api_version_that_is_none_is_refused(api_version: str) -> None:
    text = f'apiVersion: "{api_version}"\nkind: Service\nmetadata: {{name: a}}\n'
    assert refusal(text).startswith("web.yaml: not a Kubernetes object: apiVersion ")


@pytest.mark.parametrize("kind", ["", "service", "../Service", "Ser-vice", "Service\\n"])
def test_kind_that_is_none_is_refused(kind: str) -> None:
    assert 'not a Kubernetes object: apiVersion "v1", kind ' in refusal(
        f'apiVersion: v1\nkind: "{kind}"\nmetadata: {{name: a}}\n'
    )


@pytest.mark.parametrize("namespace", ["A", "a.b", "a/b", "a" * 64, "-a", "a-", "a\\n"])
def test_namespace_that_is_none_is_refused(namespace: str) -> None:
    assert "has the invalid namespace" in refusal(
        f'apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: "{namespace}"}}\n'
    )


@pytest.mark.parametrize("namespace", ["null", "~", "", "''"])
def test_namespace_of_nothing_is_none(namespace: str) -> None:
    assert one_object(f"apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: {namespace}}}\n").namespace == ""


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "/", ".", "..", "", "a%2fb", "a\\nb", "a\\0", "x" * 254, "a\\u202eb"]
)
def test_name_that_kubernetes_refuses_is_refused(name: str) -> None:
    message = refusal(f'apiVersion: v1\nkind: Service\nmetadata: {{name: "{name}"}}\n')
    assert message.startswith("web.yaml: Service has the invalid name ")
    assert message.endswith("\n  use at most 253 characters, without '/', '%' and control characters")


@pytest.mark.parametrize("name", ["web", "system:x", "a.b-c", "Upper", "e5", "x" * 253, "a b", "\u00e4"])
def test_other_names_are_taken(name: str) -> None:
    assert one_object(f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n").name == name


# Lists


def test_list_is_unfolded() -> None:
    text = """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Service, metadata: {name: a}}
        - apiVersion: v1
          kind: List
          items:
          - {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}
    """
    assert [one.identity for one in objects(text)] == [("", "Service", "", "a"), ("apps", "Deployment", "", "b")]


def test_items_of_a_typed_list_get_its_kind() -> None:
    text = """
        apiVersion: apps/v1
        kind: DeploymentList
        items:
        - {metadata: {name: a}}
        - {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}, spec: {replicas: 3}}
    """
    first, second = objects(text)
    assert first.data == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert second.data["spec"] == {"replicas": 3}


def test_items_of_an_untyped_list_must_say_what_they_are() -> None:
    assert "not a Kubernetes object" in refusal("apiVersion: v1\nkind: List\nitems: [{metadata: {name: a}}]\n")


def test_items_that_are_no_objects_are_refused() -> None:
    assert refusal("apiVersion: v1\nkind: List\nitems: [text]\n") == (
        'web.yaml: expected a Kubernetes object, found "text"'
    )


@pytest.mark.parametrize("items", ["items: []", "items:"])
def test_empty_list_holds_nothing(items: str) -> None:
    assert objects(f"apiVersion: v1\nkind: List\n{items}\n") == []


def test_object_whose_kind_ends_in_list_is_no_list() -> None:
    found = one_object("apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {items: [x]}\n")
    assert found.kind == "AllowList"


# Encrypted objects

SOPS = """\
# made by sops  \n\
kind:    Secret
apiVersion: v1
metadata: {  name: db,   namespace: shop}
stringData:
    password: ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]
    # why
    'on': "0644"
sops:
    age:
        - recipient: age1xyz
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            YWdl
            -----END AGE ENCRYPTED FILE-----
    lastmodified: "2026-01-01T00:00:00Z"
    mac: ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]
    version: 3.9.0
"""


@pytest.mark.parametrize("stream", ["%s", "---\n%s", "%s---\n" + SERVICE % "a", SERVICE % "a" + "---\n\n%s\n---\n"])
def test_encrypted_object_passes_byte_for_byte(stream: str) -> None:
    (found,) = [one for one in filled(stream % SOPS) if one.kind == "Secret"]
    assert to_text(found) == SOPS
    assert file_name(found, "shop") == "secret-db.yaml"


def test_encrypted_object_keeps_its_windows_line_breaks() -> None:
    text = SOPS.replace("\n", "\r\n")
    (found,) = filled(text)
    assert to_text(found) == text


def test_encrypted_object_from_a_template_holds_its_values() -> None:
    text = SOPS.replace("name: db", "name: \ue0000\ue001")
    (found,) = filled(text, "db")
    assert found.name == "db"
    assert to_text(found) == SOPS


EVIL = "apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: evil}"


@pytest.mark.parametrize(
    ("added", "why"),
    [
        # Kubernetes' readers split here, others do not: https://github.com/kubernetes/apimachinery, util/yaml
        (f"---#: {{{EVIL}}}\n", "'---' begins a document"),
        (f"---x: {{{EVIL}}}\n", "'---' begins a document"),
        ("...\n", "a line begins with '---' or '...'"),
        ("more: a\r---\rkind: Evil\n", "content after the end of a document"),
        ("more: a # \x85---\n", "content after the end of a document"),
        ("more: a # \u2028\n", "only some readers take for a line break"),
        ("more: &a 1\n", "an anchor or alias"),
        ("more: !!str 1\n", "the tag !!str"),
        ("more: 0644\n", "not all readers take '0644' for the same"),
        ("more: yes\n", "not all readers take 'yes' for the same"),
        ("more: 1:30\n", "not all readers take '1:30' for the same"),
        ("more: 2026-01-01\n", "not all readers take '2026-01-01' for the same"),
    ],
)
def test_encrypted_object_that_others_could_read_otherwise_is_refused(added: str, why: str) -> None:
    with pytest.raises((ManifestError, YamlError)) as caught:
        filled(SOPS + added)
    assert why in str(caught.value)
    assert str(caught.value).startswith("web.yaml:")


def test_value_that_a_template_puts_into_an_encrypted_object_cannot_leave_its_place() -> None:
    text = SOPS.replace("name: db", "name: db, annotations: {a: '\ue0000\ue001'}")
    with pytest.raises(ManifestError, match="what its template put in changes its structure"):
        filled(text, "b', c: 'd")


def test_encrypted_objects_in_a_list_are_refused() -> None:
    indented = "".join(f"  {line}\n" for line in SOPS.splitlines())
    text = f"apiVersion: v1\nkind: List\nitems:\n-{indented[1:]}"
    with pytest.raises(ManifestError, match="encrypted"):
        filled(text)


def test_encrypted_list_is_refused() -> None:
    items = "items: [{apiVersion: v1, kind: Secret, metadata: {name: a}}]"
    text = f"apiVersion: v1\nkind: List\n{items}\nsops: {{mac: 'ENC[x]'}}\n"
    with pytest.raises(ManifestError, match="encrypted"):
        filled(text)


@pytest.mark.parametrize("name", ["", ", name: null", ", name: 3"])
def test_object_whose_name_is_generated_is_refused(name: str) -> None:
    assert refusal(f"apiVersion: batch/v1\nkind: Job\nmetadata: {{generateName: migrate-{name}}}\n") == (
        "web.yaml: Job has generateName (migrate-) and no name: Flux cannot apply an object without a fixed name\n"
        "  set metadata.name instead of generateName"
    )


def test_object_with_a_name_and_a_generated_one_is_fine() -> None:
    assert one_object("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-, name: b}\n").name == "b"


# File names


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        (object_named("web"), "service-web.yaml"),
        (object_named("web", "Deployment", "apps/v1"), "deployment.apps-web.yaml"),
        (object_named("web", namespace="shop"), "service-web.yaml"),
        (object_named("web", namespace="other"), "service-web@other.yaml"),
        (object_named("system:x", "ClusterRole", "rbac.authorization.k8s.io/v1"), None),
        (object_named("a.b-c"), "service-a.b-c.yaml"),
        (object_named("Web"), "service-%57eb.yaml"),
        (object_named("a b@c"), "service-a%20b%40c.yaml"),
        (object_named("\u00e4"), "service-%C3%A4.yaml"),
    ],
)
def test_file_is_named_after_the_object(manifest: Manifest, name: str | None) -> None:
    expected = name or "clusterrole.rbac.authorization.k8s.io-system%3Ax.yaml"
    assert file_name(manifest, "shop") == expected


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/%", exclude_categories=["C", "Z"]), min_size=1, max_size=253
).filter(lambda name: name not in (".", "..") and name.isprintable())


@given(NAMES, st.sampled_from(["", "n" * 63]))
def test_file_name_is_safe_on_every_file_system(name: str, namespace: str) -> None:
    found = file_name(object_named(name, "CustomResourceDefinition", "apiextensions.k8s.io/v1", namespace), "shop")
    assert len(found) <= 255
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-%ABCDEF@")
    assert found.startswith("customresourcedefinition.apiextensions.k8s.io-")


@given(NAMES, NAMES)
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    names = {file_name(object_named(name), "shop").casefold() for name in (one, other)}
    assert len(names) == len({one, other})


@pytest.mark.parametrize(
    ("one", "other"), [("web", "Web"), ("WEB", "Web"), ("x" * 253, "x" * 252 + "z"), ("X" * 253, "X" * 252)]
)
def test_names_that_are_alike_get_files_that_no_file_system_confuses(one: str, other: str) -> None:
    names = [file_name(object_named(name), "shop") for name in (one, other)]
    assert names[0].casefold() != names[1].casefold()
    assert max(map(len, names)) < 255


# Canonical text


def test_keys_are_in_kubernetes_order() -> None:
    found = one_object("""
        spec:
          template:
            spec:
              containers:
              - ports: []
                image: nginx
                env: []
                name: a
            metadata: {labels: {z: a, b: c}, name: x}
          replicas: 3
        status: {}
        metadata:
          annotations: {}
          finalizers: []
          namespace: shop
          labels: {}
          name: web
        kind: Deployment
        data: {}
        apiVersion: apps/v1
    """)
    assert to_text(found) == (
        "apiVersion: apps/v1\n"
        "kind: Deployment\n"
        "metadata:\n"
        "  name: web\n"
        "  namespace: shop\n"
        "  labels: {}\n"
        "  annotations: {}\n"
        "  finalizers: []\n"
        "data: {}\n"
        "spec:\n"
        "  replicas: 3\n"
        "  template:\n"
        "    metadata:\n"
        "      name: x\n"
        "      labels:\n"
        "        b: c\n"
        "        z: a\n"
        "    spec:\n"
        "      containers:\n"
        "      - name: a\n"
        "        image: nginx\n"
        "        env: []\n"
        "        ports: []\n"
        "status: {}\n"
    )


def test_canonical_text_does_not_depend_on_how_it_was_written() -> None:
    one = one_object("metadata: {name: a}\nkind: ConfigMap\napiVersion: v1\ndata: {b: 'x', a: 'on'}\n")
    other = one_object('apiVersion: v1\ndata:\n    a: "on"\n    b: x # why\nkind: ConfigMap\nmetadata:\n    name: a\n')
    assert to_text(one) == to_text(other)


def test_canonical_text_is_canonical_already() -> None:
    text = to_text(one_object("kind: ConfigMap\ndata: {b: x, a: '1'}\nmetadata: {name: a}\napiVersion: v1\n"))
    assert to_text(one_object(text)) == text


def test_each_object_becomes_one_file() -> None:
    files = to_files([object_named("a", namespace="shop"), object_named("a", "Secret", namespace="shop")], "shop")
    assert list(files) == ["service-a.yaml", "secret-a.yaml"]
    assert data_of(files["secret-a.yaml"].decode())["kind"] == "Secret"


@pytest.mark.parametrize(
    ("sources", "told"),
    [(("a.yaml", "b.yaml"), ", by a.yaml and b.yaml"), (("a.yaml", "a.yaml"), ", by a.yaml"), (("", ""), "")],
)
def test_one_identity_twice_is_an_error(sources: tuple[str, str], told: str) -> None:
    found = [one_object(SERVICE % "web", source=source) for source in sources]
    with pytest.raises(ManifestError) as caught:
        to_files(found, "shop")
    assert str(caught.value).removeprefix(f"{sources[1]}: ") == (
        f"Service web is rendered twice{told}\n  delete one of the two, or rename it"
    )


CRD = """
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: widgets.example.com}
    spec: {group: example.com, scope: %s, names: {kind: Widget, plural: widgets}}
"""


def test_equal_crds_that_a_chart_and_its_subchart_bring_are_one() -> None:
    found = [one_object(CRD % "Cluster", source=source) for source in ("c/crds/w.yaml", "c/charts/d/crds/w.yaml")]
    (name,) = to_files(found, "shop")
    assert name == "customresourcedefinition.apiextensions.k8s.io-widgets.example.com.yaml"


def test_crds_of_one_name_that_differ_are_an_error() -> None:
    with pytest.raises(ManifestError, match=r"widgets\.example\.com is rendered twice"):
        to_files([one_object(CRD % "Cluster"), one_object(CRD % "Namespaced")], "shop")


def test_kind_of_another_group_that_is_called_like_a_crd_is_no_crd() -> None:
    fake = CRD.replace("apiextensions.k8s.io", "x.example") % "Cluster"
    with pytest.raises(ManifestError, match="is rendered twice"):
        to_files([one_object(fake), one_object(fake)], "shop")


def test_two_objects_that_need_the_same_file_are_told_apart() -> None:
    versions = (("foo-bar.com", "x"), ("foo", "bar.com-x"))
    found = [
        one_object(f"apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: {name}}}\n") for group, name in versions
    ]
    with pytest.raises(ManifestError, match=r"Widget.foo-bar.com x and Widget.foo bar.com-x need the same file, "):
        to_files(found, "shop")


def test_one_name_in_two_namespaces_or_kinds_is_fine() -> None:
    found = [object_named("a", namespace="shop"), object_named("a", namespace="other"), object_named("a", "Secret")]
    assert len(to_files(found, "shop")) == 3
