from __future__ import annotations

import contextlib
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.errors import ConfigError, ImageError
from headgate.model import Image
from headgate.objects.images import Reference, canonical_repository, for_templates, parse_reference, set_digests, uses
from headgate.yamltext.valuepath import parse, select
from support.trees import DIGEST, one_object, released

if TYPE_CHECKING:
    from headgate.objects.manifest import Manifest

SHOP = "registry.example.com/acme/shop"
OTHER_DIGEST = "sha256:" + "b" * 64

DEPLOYMENT = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: shop, namespace: shop}
    spec:
      template:
        spec:
          containers:
            - {name: shop, image: %s}
"""


def running(image: str) -> Manifest:
    return one_object(DEPLOYMENT % image, source="templates/web/shop.yaml")


def image_of(manifest: Manifest) -> Any:
    containers = manifest.data["spec"]["template"]["spec"]["containers"]
    return containers[0]["image"]


def own(*repositories: str, **by_name: Image) -> dict[str, Image]:
    return {repository.rsplit("/", 1)[-1]: Image(repository=repository) for repository in repositories} | by_name


def pinned(image: str, repository: str = SHOP) -> str:
    manifest = running(image)
    assert set_digests([manifest], {"shop": Image(repository=repository)}, {"shop": released(repository)}, {}) == {
        "shop"
    }
    return str(image_of(manifest))


def refusal(image: str, images: dict[str, Image], *handed_off: str) -> str:
    with pytest.raises(ImageError) as caught:
        set_digests([running(image)], images, {name: released(images[name].repository) for name in handed_off}, {})
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("nginx", Reference("nginx")),
        ("nginx:1.27", Reference("nginx", "1.27")),
        ("redis:7", Reference("redis", "7")),
        ("acme/shop:1", Reference("acme/shop", "1")),
        ("localhost:5000/shop", Reference("localhost:5000/shop")),
        ("localhost:5000/shop:1", Reference("localhost:5000/shop", "1")),
        (f"{SHOP}:web-1.0", Reference(SHOP, "web-1.0")),
        (f"{SHOP}@{DIGEST}", Reference(SHOP, "", DIGEST)),
        (f"{SHOP}:1.0@{DIGEST}", Reference(SHOP, "1.0", DIGEST)),
    ],
)
def test_reference_is_read(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        *("", "a b", "shop:", ":1.0", "shop:1.0:2.0", "shop\n", "/shop", "shop/", "https://shop"),
        *("Shop", "acme/Shop", f"{SHOP}/Worker", "acme//shop", "acme/./shop", "acme/shop.", "user@host.example/shop"),
        *("acme/sh\u00f6p", "shop:\u0661", "host:\u0661/shop"),
    ],
)
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_reference(text)
    assert str(caught.value) == f"'{text}' is not an image reference, expected repository[:tag][@sha256:...]"


@pytest.mark.parametrize(
    ("repository", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("docker.io/library/nginx", "docker.io/library/nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("acme/shop", "docker.io/acme/shop"),
        ("docker.io/acme/shop", "docker.io/acme/shop"),
        ("localhost/shop", "localhost/shop"),
        ("localhost:5000/shop", "localhost:5000/shop"),
        ("registry:5000/shop", "registry:5000/shop"),
        ("registry.example.com:4430/shop", "registry.example.com:4430/shop"),
        ("[::1]/shop", "[::1]/shop"),
        ("[::1]:443/shop", "[::1]/shop"),
        ("Acme/shop", "acme/shop"),  # a host of this name, to runtimes
        (SHOP, SHOP),
        ("registry.example.com/acme/Shop", "registry.example.com/acme/Shop"),
    ],
)
def test_repository_is_written_in_full_as_runtimes_do(repository: str, full: str) -> None:
    assert canonical_repository(repository) == full


@pytest.mark.parametrize("written", ["", ":latest", ":1", ":0.9", f"@{OTHER_DIGEST}", f":0.9@{OTHER_DIGEST}"])
def test_image_is_pinned_whatever_tag_the_template_has(written: str) -> None:
    assert pinned(f"{SHOP}{written}") == f"{SHOP}:1.0@{DIGEST}"


HOSTS = ["registry.example.com", "REGISTRY.example.com", "registry.example.com.", "Registry.Example.Com.:443"]
HOSTS += [
    "registry.example.com:443",
    "registry.example.com:80",
    "registry.example.com:0443",
    "registry.example.com.:00080",
]
DOCKER_HUB = ["docker.io", "DOCKER.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]
DOCKER_HUB += ["hub.docker.com", "docker.io.", "docker.io:443"]


@pytest.mark.parametrize("host", HOSTS)
def test_image_is_pinned_however_its_host_is_spelled(host: str) -> None:
    assert canonical_repository(f"{host}/acme/shop") == SHOP
    assert pinned(f"{host}/acme/shop:unreleased") == f"{SHOP}:1.0@{DIGEST}"


@pytest.mark.parametrize("repository", ["shop", "library/shop", "acme/shop"])
@pytest.mark.parametrize("host", DOCKER_HUB)
def test_image_of_docker_hub_is_pinned_whatever_docker_hub_is_called(host: str, repository: str) -> None:
    short = repository.removeprefix("library/")
    assert canonical_repository(f"{host}/{repository}") == canonical_repository(short)
    assert pinned(f"{host}/{repository}:unreleased", short) == f"{short}:1.0@{DIGEST}"
    assert pinned(f"{short}:unreleased", f"{host.lower().rstrip('.')}/{repository}").endswith(f":1.0@{DIGEST}")


@pytest.mark.parametrize("written", ["shop", "shop:7", "shop:v7", "docker.io/shop:7", "docker.io/library/shop"])
def test_image_with_a_short_name_is_pinned(written: str) -> None:
    assert pinned(written, "shop") == f"shop:1.0@{DIGEST}"


@pytest.mark.parametrize(
    "image",
    [
        "nginx:1.27",
        f"{SHOP}-extra:1.0",
        f"{SHOP}/worker:1.0",
        "acme/shop:1.0",
        "other.example.com/acme/shop",
        "registry.example.com:8443/acme/shop",
        f"{SHOP}.old",
        f"'{SHOP}/Worker'",
        "'{{ x }}'",
        "'{{ shop }}'",
    ],
)
def test_image_of_somebody_else_stays_as_it_is(image: str) -> None:
    manifest = running(image)
    assert set_digests([manifest], own(SHOP), {"shop": released(SHOP)}, {}) == set()
    assert image_of(manifest) == image.strip("'")


LIKE_OWN = [
    "registry.example.com/acme/Shop:1.0",
    "registry.example.com/ACME/shop",
    " registry.example.com/acme/shop",
    "registry.example.com/acme/shop:1.0 ",
    "registry.example.com/acme/shop\t:1.0",
    "registry.example.com/acme/sh\u200bop",
    "'registry.example.com/acme/shop'",
    "registry.example.com//acme/shop",
    "registry.example.com/acme/./shop",
    "registry.example.com/acme/shop/",
    "registry.example.com/acme/shop:1.0:2.0",
    "registry.example.com/acme/shop@sha256:12",
    "https://registry.example.com/acme/shop:1.0",
    "registry.example.com/acme/../acme/shop:x",
    "registry.example.com/acme/shop@",
    "registry.example.com:443:443/acme/shop:x",
    "/registry.example.com/acme/shop:x",
    "registry\u3002example.com/acme/shop:x",
    "\uff52egistry.example.com/acme/shop:x",
    "registry.example.com%2Facme/shop:x",
    "registry.example.com\\acme\\shop:x",
    "docker://REGISTRY.example.com:443/acme/shop",
    "user:word@registry.example.com/acme/shop",
]


@pytest.mark.parametrize("image", LIKE_OWN)
def test_what_is_only_spelled_like_an_own_image_is_refused(image: str) -> None:
    assert refusal(json.dumps(image), own(SHOP), "shop") == (
        f"templates/web/shop.yaml: Deployment shop/shop runs {image!r}, which resembles an image "
        "of this app but is not a valid reference\n"
        "  write it as in app.yaml: the repository in lower case, with nothing but a tag"
    )


@pytest.mark.parametrize("image", ["Cart:1.0", "Acme/shop", "' docker.io/acme/shop'", "docker.io/library/CART"])
def test_what_is_only_spelled_like_an_own_image_of_docker_hub_is_refused(image: str) -> None:
    assert "which resembles an image of this app" in refusal(image, own("cart", "acme/shop"), "shop")


@given(
    st.lists(st.booleans(), min_size=len(SHOP), max_size=len(SHOP)),
    st.text(st.sampled_from(" \t\n'\"`{}()*!$%\u200b\u00a0\u00e9"), max_size=3),
    st.integers(0, len(SHOP)),
)
def test_no_spelling_of_an_own_image_stays_as_it_is(capitals: list[bool], odd: str, position: int) -> None:
    spelled = "".join(char.upper() if big else char for char, big in zip(SHOP, capitals, strict=True))
    manifest = running(json.dumps(f"{spelled[:position]}{odd}{spelled[position:]}:unreleased"))
    with contextlib.suppress(ImageError):
        set_digests([manifest], own(SHOP), {"shop": released(SHOP)}, {})
        assert image_of(manifest) == f"{SHOP}:1.0@{DIGEST}"


def test_spelling_without_end_is_told_apart_in_time() -> None:
    for image in ("." * 100_000, "a-" * 100_000, "a/" * 100_000 + "A", "@" * 100_000, " a" * 50_000):
        manifest = running(json.dumps(image))
        assert set_digests([manifest], own(SHOP), {"shop": released(SHOP)}, {}) == set()


POD = """{
  containers: [{name: a, image: shop}, {name: b, image: nginx}],
  initContainers: [{name: c, image: "shop:old"}],
  ephemeralContainers: [{name: d, image: shop}],
  volumes: [{name: e, image: {reference: "shop:old"}}, {name: f, emptyDir: {}}]
}"""


def with_pod_at(path: str, kind: str, api_version: str) -> Manifest:
    first, *rest = path.split(".")
    inner = POD
    for step in reversed(rest):
        inner = f"{{{step}: {inner}}}"
    return one_object(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\n{first}: {inner}\n")


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", "spec"),
        ("v1", "PodTemplate", "template.spec"),
        ("v1", "ReplicationController", "spec.template.spec"),
        ("apps/v1", "DaemonSet", "spec.template.spec"),
        ("apps/v1", "Deployment", "spec.template.spec"),
        ("apps/v1", "ReplicaSet", "spec.template.spec"),
        ("apps/v1", "StatefulSet", "spec.template.spec"),
        ("batch/v1", "Job", "spec.template.spec"),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec"),
    ],
)
def test_every_container_and_image_volume_of_every_workload_is_pinned(api_version: str, kind: str, path: str) -> None:
    manifest = with_pod_at(path, kind, api_version)
    assert set_digests([manifest], own("shop"), {"shop": released("shop")}, {}) == {"shop"}

    ((holder, key),) = select(manifest.data, parse(path))
    found = holder[key]
    reference = f"shop:1.0@{DIGEST}"
    assert [one["image"] for one in found["containers"]] == [reference, "nginx"]
    assert [one["image"] for one in (*found["initContainers"], *found["ephemeralContainers"])] == [reference] * 2
    assert found["volumes"][0]["image"] == {"reference": reference}


@pytest.mark.parametrize(
    "spec",
    ["{}", "{containers: text}", "{containers: [text, {name: a}, {image: 3}]}", "{volumes: [{image: text}]}", "null"],
)
def test_workload_without_proper_containers_has_no_images(spec: str) -> None:
    manifest = one_object(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {spec}\n")
    assert list(uses(manifest, {})) == []


ROLLOUT = """
    apiVersion: argoproj.io/v1alpha1
    kind: Rollout
    metadata: {name: shop}
    spec:
      template: {spec: {containers: [{name: shop, image: shop}]}}
      images: [{name: shop}, {name: nginx}]
"""


def test_custom_workload_is_pinned_where_the_configuration_says_so() -> None:
    manifest = one_object(ROLLOUT)
    released_images = {"shop": released("shop")}
    assert set_digests([manifest], own("shop"), released_images, {}) == set()
    assert set_digests([manifest], own("shop"), released_images, {"Rollout.argoproj.io": "spec.template.spec"}) == {
        "shop"
    }
    assert image_of(manifest) == f"shop:1.0@{DIGEST}"


def test_single_image_of_a_custom_resource_is_pinned() -> None:
    manifest = one_object(ROLLOUT)
    assert set_digests(
        [manifest], own("shop"), {"shop": released("shop")}, {"Rollout.argoproj.io": "spec.images[*].name"}
    ) == {"shop"}
    assert [one["name"] for one in manifest.data["spec"]["images"]] == [f"shop:1.0@{DIGEST}", "nginx"]


def encrypted(image: str) -> Manifest:
    return one_object(
        DEPLOYMENT % image + "    sops: {mac: 'ENC[AES256_GCM,data:x]', version: 3.9.0}\n", source="deploy/shop.yaml"
    )


@pytest.mark.parametrize("image", ["nginx:1", "'ENC[AES256_GCM,data:shop,iv:x]'", "other.example.com/acme/shop"])
def test_encrypted_workload_of_other_images_is_not_touched(image: str) -> None:
    manifest = encrypted(image)
    before = deepcopy(manifest.data)
    assert set_digests([manifest], own("shop", SHOP), {"shop": released("shop")}, {}) == set()
    assert manifest.data == before


@pytest.mark.parametrize("image", [f"{SHOP}:x", SHOP.upper().replace("ACME/SHOP", "acme/shop"), f"{SHOP}@{DIGEST}"])
def test_encrypted_workload_that_runs_an_own_image_is_refused(image: str) -> None:
    with pytest.raises(ImageError) as caught:
        set_digests([encrypted(image)], own(SHOP), {"shop": released(SHOP)}, {})
    assert str(caught.value) == (
        f"deploy/shop.yaml: cannot set the digest of {image}, an image of this app, in Deployment shop/shop: "
        "it is encrypted\n"
        "  do not encrypt workloads: move secret data to a Secret, and encrypt that with sops"
    )


def tagged() -> dict[str, Image]:
    return {"web": Image(repository=SHOP, tag="web-*"), "worker": Image(repository=SHOP, tag="worker-*")}


def test_pattern_of_tags_tells_images_of_one_repository_apart() -> None:
    web, worker = running(f"{SHOP}:web-old"), running(f"{SHOP}:worker-old")
    both = {"web": released(SHOP, "web-1"), "worker": released(SHOP, "worker-1", digest=OTHER_DIGEST)}
    assert set_digests([web, worker], tagged(), both, {}) == {"web", "worker"}
    assert image_of(web) == f"{SHOP}:web-1@{DIGEST}"
    assert image_of(worker) == f"{SHOP}:worker-1@{OTHER_DIGEST}"


def test_pattern_of_tags_is_more_exact_than_none() -> None:
    images = own(SHOP, web=Image(repository=SHOP, tag="web-*"))
    both = {"shop": released(SHOP, "1.0"), "web": released(SHOP, "web-1")}
    shop, web = running(f"{SHOP}:0.9"), running(f"{SHOP}:web-0.9")
    assert set_digests([shop, web], images, both, {}) == {"shop", "web"}
    assert image_of(shop) == f"{SHOP}:1.0@{DIGEST}"
    assert image_of(web) == f"{SHOP}:web-1@{DIGEST}"


@pytest.mark.parametrize(("image", "tag"), [(f"{SHOP}:db-1", "db-1"), (SHOP, "(no tag)")])
def test_own_image_with_a_tag_that_no_pattern_matches_is_refused(image: str, tag: str) -> None:
    assert refusal(image, tagged(), "web", "worker") == (
        f"templates/web/shop.yaml: Deployment shop/shop runs {SHOP}:{tag}, an image of this app, "
        "but no image matches its tag (web: web-*, worker: worker-*)\n"
        "  use a tag that matches the 'tag' pattern of exactly one image in app.yaml"
    )


def test_own_image_that_two_patterns_match_is_refused() -> None:
    images = {"web": Image(repository=SHOP, tag="web-*"), "all": Image(repository=SHOP, tag="*-1")}
    assert "but more than one image matches: web, all\n" in refusal(f"{SHOP}:web-1", images, "web", "all")


def test_own_image_that_was_not_handed_off_is_refused() -> None:
    assert refusal(f"{SHOP}:1.0", own(SHOP)) == (
        f"templates/web/shop.yaml: Deployment shop/shop runs {SHOP}:1.0, but image 'shop' has not been handed off\n"
        "  hand it off, or remove the container"
    )


def test_templates_read_images_by_name() -> None:
    assert for_templates({"web": released(SHOP, "2.0"), "db": released("postgres")}) == {
        "db": {"repository": "postgres", "tag": "1.0", "digest": DIGEST, "reference": f"postgres:1.0@{DIGEST}"},
        "web": {"repository": SHOP, "tag": "2.0", "digest": DIGEST, "reference": f"{SHOP}:2.0@{DIGEST}"},
    }
