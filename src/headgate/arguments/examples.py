"""Examples for the help of each command: lines that the program takes, as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.arguments.program import command_name

if TYPE_CHECKING:
    import typer

EXAMPLES: dict[str, tuple[str, ...]] = {
    "hydrate": ("headgate hydrate", "headgate hydrate --check --app shop", "headgate hydrate --environment dev --diff"),
    "demo": ("headgate demo", "headgate demo --cluster"),
    "deliver": (
        "headgate deliver --project acme/shop --commit 4bc8... --image registry.example.com/acme/shop:2.1.0@sha256:...",
    ),
    "promote": (
        "headgate promote shop --from dev --to production",
        "headgate promote shop --from dev --to production --dry-run",
    ),
    "roll-back": (
        'headgate roll-back shop --environment production --reason "errors since 2.1.0"',
        'headgate roll-back shop --environment production --to 9f04c1d2ab77 --reason "the last good one"',
    ),
    "rehydrate": ("headgate rehydrate", "headgate rehydrate --environment dev --dry-run"),
    "refresh": ("headgate refresh",),
    "ci": ("headgate ci",),
    "preview": (
        "headgate preview --source . --manifests https://gitlab.example.com/acme/manifests.git",
        "headgate preview",
    ),
    "hand-off": ("headgate hand-off",),
    "pin": ('headgate pin shop --environment production --reason "the new cart loses items"',),
    "unpin": ("headgate unpin shop --environment production",),
    "freeze": ('headgate freeze production --reason "holidays"',),
    "thaw": ("headgate thaw production",),
    "deliver-held": ('headgate deliver-held shop --environment production --reason "a security fix"',),
    "discard-held": ('headgate discard-held shop --environment production --reason "never meant to go there"',),
    "remove": ("headgate remove shop --environment dev", "headgate remove shop --dry-run"),
    "status": ("headgate status", "headgate status shop --json"),
    "compare": ("headgate compare dev production", "headgate compare dev production shop"),
    "history": ("headgate history shop --environment production", "headgate history --actor mia --limit 50"),
    "where": (
        "headgate where registry.example.com/acme/shop:2.0.7",
        "headgate where sha256:7d0c1f6e2b90 --history --json",
    ),
    "site": ("headgate site public", "headgate site public --manifests https://gitlab.example.com/acme/manifests.git"),
    "verify": ("headgate verify", "headgate verify --app shop --environment production"),
    "version": ("headgate version",),
    "schema": ("headgate schema", "headgate schema app.yaml"),
    "wait": ("headgate wait shop --environment dev --timeout 10m",),
    "warm": ("headgate warm --shard 1/4",),
    "init": (
        "headgate init --server https://gitlab.example.com --project acme/manifests --setup intake",
        "headgate init --server https://gitlab.example.com --project acme/manifests --setup direct --apply --dry-run",
    ),
    "adopt": (
        "headgate adopt --dry-run",
        "headgate adopt --environment dev:commit --environment production:review --namespace shop=shop",
        "headgate adopt ../manifests --charts charts --hooks podinfo=drop --accept-differences",
    ),
    "doctor": ("headgate doctor", "headgate doctor --setup intake --json", "headgate doctor --fix --dry-run"),
    "app add": (
        "headgate app add cart --app-project acme/cart",
        "headgate app add cart --app-project acme/cart --config deploy --grant replicas",
    ),
    "environment add": (
        "headgate environment add staging --delivery review --after dev",
        "headgate environment add preview --delivery commit --takes 'branch:release/*'",
    ),
    "template add": ("headgate template add worker", "headgate template add worker --like web"),
    "explain": ("headgate explain 27", "headgate explain unknown-field"),
    "completion": ("headgate completion bash", "headgate completion fish"),
}


def add_examples(program: typer.Typer, before: str = "") -> None:
    """Let the help of each command end with its examples, also of those in groups."""
    for group in program.registered_groups:
        add_examples(group.typer_instance, f"{group.name} ")  # type: ignore[arg-type]
    for command in program.registered_commands:
        name = f"{before}{command_name(command)}"
        # Typer joins single line ends, so each line is a paragraph.
        command.epilog = "\n\n".join(("Examples:", *EXAMPLES[name]))
