"""The keys by which Kubernetes identifies the items of a list. Pure.

Source: ``x-kubernetes-list-type: map`` and ``x-kubernetes-list-map-keys`` in api/openapi-spec/swagger.json of
https://github.com/kubernetes/kubernetes at v1.37.2, without status and without kinds that no manifest holds. Not
``x-kubernetes-patch-merge-key``, which knows one key per list and so takes two ports of different protocols for one.
"""

from __future__ import annotations

from functools import lru_cache

from headgate.objects.kinds import POD_SPECS

ListKeys = tuple[str, ...]
FieldNames = tuple[str, ...]
"""The names on the way to a field, without the items of lists: ``spec``, ``containers``, ``env``."""

DEFAULTS = {"protocol": "TCP"}
"""Keys that need not be written, with the value that they have then."""

_CONTAINER: dict[FieldNames, ListKeys] = {
    ("env",): ("name",),
    ("ports",): ("containerPort", "protocol"),
    ("volumeDevices",): ("devicePath",),
    ("volumeMounts",): ("mountPath",),
    ("resources", "claims"): ("name",),
}
_POD: dict[FieldNames, ListKeys] = {
    ("containers",): ("name",),
    ("initContainers",): ("name",),
    ("ephemeralContainers",): ("name",),
    ("evictionResponders",): ("name",),
    ("hostAliases",): ("ip",),
    ("imagePullSecrets",): ("name",),
    ("resourceClaims",): ("name",),
    ("resources", "claims"): ("name",),
    ("schedulingGates",): ("name",),
    ("topologySpreadConstraints",): ("topologyKey", "whenUnsatisfiable"),
    ("volumes",): ("name",),
    **{
        (field, *path): keys
        for field in ("containers", "initContainers", "ephemeralContainers")
        for path, keys in _CONTAINER.items()
    },
}
_ADMISSION = "admissionregistration.k8s.io"
_KINDS: dict[str, dict[FieldNames, ListKeys]] = {
    "Service": {("spec", "ports"): ("port", "protocol")},
    "ServiceAccount": {("secrets",): ("name",)},
    f"MutatingAdmissionPolicy.{_ADMISSION}": {("spec", "matchConditions"): ("name",)},
    f"ValidatingAdmissionPolicy.{_ADMISSION}": {
        ("spec", "matchConditions"): ("name",),
        ("spec", "variables"): ("name",),
    },
    **{
        f"{kind}.{_ADMISSION}": {("webhooks",): ("name",), ("webhooks", "matchConditions"): ("name",)}
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    },
}
_ANY: dict[FieldNames, ListKeys] = {("metadata", "ownerReferences"): ("uid",)}


def list_keys(kind_name: str, path: FieldNames) -> ListKeys:
    """Return the keys of the list at a path of an object; none for a list that Kubernetes replaces as a whole.

    ``kind_name`` is ``Kind`` or ``Kind.group``.
    """
    return _table(kind_name).get(path, ())


@lru_cache(maxsize=256)
def _table(kind_name: str) -> dict[FieldNames, ListKeys]:
    prefix = tuple(POD_SPECS[kind_name].split(".")) if kind_name in POD_SPECS else None
    pod = {} if prefix is None else {(*prefix, *path): keys for path, keys in _POD.items()}
    return {**_ANY, **pod, **_KINDS.get(kind_name, {})}
