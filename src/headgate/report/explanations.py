"""What each exit code, each rule of validation and each flag of a change means, and what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import KINDS, ArgumentError, did_you_mean
from headgate.records import frozen_record
from headgate.validation.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.model import RiskFlag
    from headgate.model.validation import Rule


@frozen_record
class Explanation:
    """What something means, and what to do about it."""

    title: str
    means: str
    advice: str


_ADVICE: Mapping[int, tuple[str, str]] = {
    0: ("done, or nothing to do", "There is nothing to do."),
    1: (
        "`hydrate --check` or `verify` found a difference, `doctor` something wrong; or a bug, with a traceback",
        "Read what was printed; with a traceback, report it.",
    ),
    2: ("wrong usage", "`headgate COMMAND --help` shows the options, with examples."),
    9: ("", "Each app's own error is above, with its place and what to do."),
    10: ("", "The message names file, line and key; `headgate schema` prints what is allowed there."),
    11: ("", "Correct the YAML at the place that the message names: no tabs, no duplicate keys, nothing ambiguous."),
    12: ("", "Add the path to `grant` in the app's app.yaml, or remove the value from the app's values."),
    13: ("", "Name each image in app.yaml as the YAML does, and hand it off with its digest."),
    14: ("", "Replace the link or file that the message names with a plain file inside its folder."),
    15: ("", "Make the input smaller, or split it; the platform team raises `limits` in headgate.yaml."),
    16: ("", "Look for endless or huge loops in the template; the platform team raises `limits` in headgate.yaml."),
    17: ("", "Correct the template, or set the value that it lacks; `headgate hydrate --check` tries it."),
    18: ("", "Give each object apiVersion, kind and a name that no other object of the app has."),
    19: ("", "Remove the object, or let the platform team permit it in `allow` of the app's app.yaml."),
    20: ("", "Check what would be removed, or what is in the way; pass `--allow-removals` if it is intended."),
    21: ("", "Remove random values, times and generated keys: the same inputs must give the same YAML."),
    22: ("", "git's own reason is in the message; check folder, address, login and branch."),
    23: ("", "Commit or drop what has changed in the checkout, then run it again."),
    24: ("", "`headgate version` shows what is installed; run in Headgate's image, or `make tools`."),
    25: ("", "Run with the versions in headgate.lock, or `headgate hydrate --upgrade` in a merge request."),
    26: ("", "Run it again: nothing was overwritten."),
    27: ("", "The message says which rule of headgate.yaml or of the order of versions refused it, and the way out."),
    28: ("", "Check address, token and its role; `headgate doctor` says what is missing."),
    29: ("", "Check that the image was pushed, and that the job may read the registry."),
    30: ("", "Pin the chart or base, and list its host in `dependencies.hosts` of headgate.yaml."),
    31: ("", "`headgate doctor` says which proof of the sender is missing, and which setting enables it."),
    32: ("", "Ask somebody with the role that the message names, or change `permissions` in headgate.yaml."),
    33: ("", "Run in Headgate's image on a kernel with seccomp; for a trial on a laptop `--no-sandbox`."),
    34: ("", "Correct the field; `headgate explain RULE` says more, and a waiver lets it pass for a time."),
    35: ("", "Flux's reason is in the message; correct it and deliver again, or `headgate roll-back`."),
    36: ("", "Give the job a token that reads commit statuses or a kubeconfig, and set `health` of the cluster."),
    37: ("", "Wait longer with `--timeout`, and find out in the cluster why Flux does not finish."),
    38: ("", "Check the spelling; the message lists what exists."),
}

_RULES: Mapping[Rule, tuple[str, str]] = {
    "invalid": (
        "a value that the server rejects: type, name, port, quantity, selector, schedule",
        "Correct the field.",
    ),
    "unknown-field": (
        "a field that no version of Kubernetes has, or not the CRD",
        "Look for a misspelling or a wrong indentation.",
    ),
    "unknown-kind": (
        "a kind or version that a built-in group, or a CRD here, does not have, or that is never stored (a list)",
        "Check apiVersion and kind.",
    ),
    "duplicate-key": ("two items of a list with one key, such as an environment variable", "Remove one of them."),
    "removed-api": (
        "an API version that the environment's Kubernetes does not serve any more",
        "Use the version that the message names.",
    ),
    "newer-field": (
        "a field that came with a later Kubernetes than the environment's",
        "Leave it out, or raise `kubernetes` in headgate.yaml.",
    ),
    "newer-kind": (
        "a kind that came with a later Kubernetes than the environment's",
        "Leave it out, or raise `kubernetes` in headgate.yaml.",
    ),
    "immutable": (
        "a change that the server rejects: a selector, a volume claim template, a role reference",
        "Give the object another name, or delete it first.",
    ),
    "deprecated-api": (
        "an API version that a later Kubernetes does not serve",
        "Change to the newer version before the cluster does.",
    ),
    "off-by-default": ("an alpha or beta kind, which a cluster has to switch on", "Make sure that the cluster does."),
    "server-warning": ("a warning that the server would give", "Read the warning; nothing fails because of it."),
    "not-checked": (
        "custom resources whose CRD is not in this repository",
        "Add the CRD's folder to `validation.crds`, or the kind to `validation.unchecked`.",
    ),
    "selects-nothing": (
        "a Service or PodDisruptionBudget whose selector finds no pods",
        "Compare the selector with the labels of the pods.",
    ),
    "undefined-reference": (
        "a ConfigMap or its key, a Secret, claim, service account, role, Service or port that nothing defines",
        "Define it, or correct the name.",
    ),
    "blocking-budget": (
        "a PodDisruptionBudget that allows no eviction, or two for the same pods, so that no node can be drained",
        "Allow at least one disruption, run more replicas, or let one budget select each pod.",
    ),
}

_FLAGS: Mapping[RiskFlag, tuple[str, str]] = {
    "removed": ("an object is removed, and with it everything in it", "Make sure that nobody needs it."),
    "rbac": ("permissions in the cluster are added or changed", "Read who may do what."),
    "admission": ("a webhook or policy that decides about other objects", "Read what it applies to."),
    "crd": ("a kind of object is added or changed", "Make sure that objects of that kind fit it."),
    "scaled-to-zero": ("no pod is left", "Make sure that it is meant to stop."),
    "unpinned-image": (
        "a container runs an image without a digest, so it may change without a commit",
        "Name a digest, or hand the image off.",
    ),
    "older-image": ("an image goes back to an earlier version", "Make sure that this is a roll-back."),
    "host-namespaces": ("pods share the node's network, processes or IPC", "Allow it for agents of the node only."),
    "host-path": ("pods mount folders of the node", "Use a volume, unless it is an agent of the node."),
    "privileged": ("a container may do on the node what root may", "Remove `privileged` and added capabilities."),
    "exposed": ("something becomes reachable from outside", "Make sure that it is meant to be."),
}


def explanation(code: str) -> Explanation:
    """Return what an exit code, a rule or a flag means. Raises ArgumentError for anything else."""
    known = explanations()
    if code not in known:
        names = [name for name in known if not name.isdigit()]
        raise ArgumentError(
            f"'{code}' is not an exit code, a rule or a flag",
            hint=did_you_mean(code, names) or f"there are: {', '.join(known)}",
        )
    return known[code]


def explanations() -> dict[str, Explanation]:
    """Return all explanations: exit codes first."""
    kinds = {kind.code: (kind.title, " ".join((kind.__doc__ or "").split())) for kind in KINDS}
    codes = {
        str(code): Explanation(title=kinds.get(code, (title, ""))[0], means=kinds.get(code, ("", ""))[1], advice=advice)
        for code, (title, advice) in _ADVICE.items()
    }
    rules: dict[str, Explanation] = {
        name: Explanation(title=title, means=f"A rule of validation, level {RULES[name].level}.", advice=advice)
        for name, (title, advice) in _RULES.items()
    }
    flags: dict[str, Explanation] = {
        name: Explanation(title=title, means="A flag of a change that needs a look.", advice=advice)
        for name, (title, advice) in _FLAGS.items()
    }
    return {**codes, **rules, **flags}
