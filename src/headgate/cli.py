"""Arguments -> one command -> exit code. Decides nothing."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from types import ModuleType

from headgate import PINNED, __version__


def main() -> None:
    """Run Headgate. ``--version`` answers before anything else is loaded."""
    if sys.argv[1:] == ["--version"]:
        print(f"headgate {__version__} ({', '.join(' '.join(engine) for engine in PINNED.items())})")  # noqa: T201
        return
    # One short run makes much and drops little: collecting garbage took a sixth of the time of a large one.
    gc.disable()
    # Python collects once more when it ends, which nobody needs: a tenth of a second after 900 app-environments.
    atexit.register(gc.freeze)
    # Pydantic asks the metadata of all that is installed for plugins of its own. With an answer in place of the module
    # that asks, neither is loaded: a fifteenth of a hand-off.
    no_plugins = ModuleType("pydantic.plugin._loader")
    no_plugins.get_plugins = tuple  # type: ignore[attr-defined]
    sys.modules[no_plugins.__name__] = no_plugins
    from headgate.signals import handle_signals  # noqa: PLC0415

    handle_signals(_run)


def _run() -> None:
    from headgate.arguments import program_for  # noqa: PLC0415
    from headgate.arguments.program import COMPLETION  # noqa: PLC0415

    if COMPLETION in os.environ:  # a shell asks what can come next
        from typer.completion import completion_init  # type: ignore[attr-defined]  # noqa: PLC0415

        completion_init()

    program_for(sys.argv[1:])(prog_name="headgate")


if __name__ == "__main__":
    main()
