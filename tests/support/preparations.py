"""What has to be so before it can be seen that a command of the documentation does what it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from support.cli import headgate
from support.flux import NotificationController
from support.gitlab.state import DEVELOPER
from support.manifests import git
from support.place import NEWER, SETTINGS, VERSIONS, Place, deliver
from support.typed import Typed


def _newer_in_dev(place: Place, typed: Typed) -> None:
    """Let dev run something that production does not."""
    if tag_of(place, typed, "dev") == tag_of(place, typed, "production"):
        deliver(place.remote, NEWER)


def tag_of(place: Place, typed: Typed, environment: str) -> str:
    """Return which version an environment runs."""
    (part,) = place.release(typed.manifests, environment)["images"].values()
    return str(part["tag"])


def _pinned(place: Place, typed: Typed) -> None:
    if "pin" not in place.release(typed.manifests, typed["environment"]):
        _run(place, "pin", "shop", "--environment", typed["environment"], "--reason", "a test")


def _frozen(place: Place, typed: Typed) -> None:
    if place.read(typed.manifests, f"environments/{typed['environment']}/frozen.yaml") is None:
        _run(place, "freeze", typed["environment"], "--reason", "a test")


def _held(place: Place, typed: Typed) -> None:
    """Let a version be held in an environment: production takes what is promoted, as soon as it is in dev."""
    text = SETTINGS.replace("{promotion: dev}", "{promotion: dev, auto: true}")
    place.push({"headgate.yaml": text})
    _pinned(place, typed)
    deliver(place.remote, NEWER)
    held = f"apps/shop/releases/{typed['environment']}/held"
    assert git(typed.manifests, "ls-tree", "-r", "--name-only", place.tip(typed.manifests), held)


def _older_in_production(place: Place, typed: Typed) -> None:
    """Let production run the version that is searched, where that is the older one."""
    if not typed["history"] and tag_of(place, typed, "production") != VERSIONS[0][1]:
        _run(place, "roll-back", "shop", "--environment", "production", "--reason", "a test")


def _template_changed(place: Place, typed: Typed) -> None:
    text = (place.checkout / "templates/web/web.yaml").read_text()
    place.push({"templates/web/web.yaml": text.replace("spec:\n", "spec:\n  replicas: 4\n", 1)})


def _proposed(place: Place, typed: Typed) -> None:
    """Let something wait for review in production, and somebody delete its branch."""
    if "pin" in place.release(typed.manifests, "production"):
        _run(place, "unpin", "shop", "--environment", "production")
    place.push({"headgate.yaml": SETTINGS.replace("dev}, delivery: commit", "dev}, delivery: review")})
    deliver(place.remote, NEWER)
    _run(place, "promote", "shop", "--from", "dev", "--to", "production")
    git(Path(place.remote), "update-ref", "-d", "refs/heads/headgate/production/shop")


def _healthy(place: Place, typed: Typed) -> None:
    """Let Flux post its verdict on what is landed."""
    place.push(
        {"headgate.yaml": f"{SETTINGS}clusters:\n  dev: {{flux: {{statuses: bot}}, health: {{statuses: flux}}}}\n"}
    )
    _run(place, "rehydrate")
    user = place.gitlab.user("flux")
    place.project.members[user.id] = DEVELOPER
    flux = NotificationController(place.gitlab.url, "acme/manifests", place.gitlab.token(user, "api"))
    flux.post(place.tip(place.checkout), "shop.dev", "ReconciliationSucceeded")


def _run(place: Place, *args: str) -> None:
    ran = headgate(*args, "--manifests", place.remote, *(("--by", "Ada") if args[0] != "rehydrate" else ()))
    assert ran.code == 0, ran.out + ran.err


PREPARATIONS: Mapping[str, Callable[[Place, Typed], None]] = {
    "promote": _newer_in_dev,
    "compare": _newer_in_dev,
    "unpin": _pinned,
    "where": _older_in_production,
    "thaw": _frozen,
    "deliver-held": _held,
    "discard-held": _held,
    "rehydrate": _template_changed,
    "refresh": _proposed,
    "wait": _healthy,
}
