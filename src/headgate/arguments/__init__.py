"""The commands and their options, as Typer declares them. Each module adds its own to the program."""

from headgate.arguments import hydrating, landing, holding, reading, waiting, setting_up, adopting, growing, helping  # noqa: F401, I001  in this order they are listed
from headgate.arguments.examples import add_examples
from headgate.arguments.program import app, program_for

add_examples(app)

__all__ = ["app", "program_for"]
