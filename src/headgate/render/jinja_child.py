"""The process that renders Jinja2 templates: a job as JSON on standard input, results as JSON on standard output.

It runs alone (``python -I jinja_child.py``) under limits on time and memory, and imports nothing of Headgate.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import traceback
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = re.compile("\ue000(\\d+)\ue001")


class Text(str):
    """Text of a template's own making: of a macro, a block, or a filter that writes YAML. It is printed as it is,
    since the values in it are tokens already.
    """

    __slots__ = ()


class Strings:
    """The strings of one render. A string is printed as a token and takes its place after the text is parsed."""

    def __init__(self) -> None:
        """Start without any."""
        self.all: list[str] = []

    def token(self, text: str) -> str:
        """Return the token that stands for ``text``, or for the whole of a text that holds tokens."""
        self.all.append(self.whole(text))
        return f"\ue000{len(self.all) - 1}\ue001"

    def whole(self, text: str) -> str:
        """Return ``text`` with the strings in the places of their tokens."""
        return _TOKEN.sub(lambda match: self.all[int(match[1])], text)

    def tokens_in(self, value: Any) -> Any:
        """Return data with tokens for all strings, keys too."""
        if isinstance(value, dict):
            return {self.tokens_in(key): self.tokens_in(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tokens_in(item) for item in value]
        return self.token(value) if isinstance(value, str) else value


class Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """A sandbox in which templates change nothing and read nothing but their own files."""

    strings: Strings

    @staticmethod
    def concat(parts: Iterable[str]) -> Text:
        """Join what a macro, a block or a whole template printed (Jinja2 calls this for all of them)."""
        return Text("".join(parts))

    @jinja2.pass_context  # which also keeps Jinja2 from printing constants while it compiles
    def finalize_value(self, _context: jinja2.runtime.Context, value: Any) -> Any:
        """Print a value so that it stays in its place."""
        if isinstance(value, Text):
            return str(value)
        if isinstance(value, str):
            return self.strings.token(value)
        if value is None or isinstance(value, (bool, int, float, dict, list, tuple)):
            return json.dumps(self.strings.tokens_in(value), ensure_ascii=False)  # JSON is YAML
        if isinstance(value, jinja2.Undefined):
            return str(value)  # raises, with the name of what is missing
        raise jinja2.TemplateRuntimeError(f"a {type(value).__name__} cannot be printed")


def make_environment(templates: dict[str, str]) -> Environment:
    """Return the environment of one source."""
    made = Environment(
        # Templates carry their names as file names, which error traces then show.
        loader=jinja2.FunctionLoader(lambda name: (templates[name], name, None) if name in templates else None),
        optimized=False,  # filters that make tokens must run for each render
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    made.finalize = made.finalize_value
    for name in ("random", "pprint", "urlize", "xmlattr"):  # random, or of no use in YAML
        made.filters.pop(name, None)
    for name in ("lipsum", "cycler", "joiner"):
        made.globals.pop(name, None)
    made.filters.update(
        to_yaml=lambda value, indent=2: _to_yaml(made.strings, value, indent),
        indent=lambda text, width=4, first=False, blank=False: _indent(
            made.strings, text, width, first=first, blank=blank
        ),
        b64encode=lambda text: base64.b64encode(_bytes(made.strings, text)).decode(),
        b64decode=lambda text: base64.b64decode(_bytes(made.strings, text)).decode(),
        sha256=lambda text: hashlib.sha256(_bytes(made.strings, text)).hexdigest(),
        trim=lambda text, chars=None: Text(text.strip(chars)) if isinstance(text, Text) else str(text).strip(chars),
        quote=lambda value: made.strings.whole(str(value)),
    )
    return made


@cache
def _dumper() -> Any:
    import yaml  # noqa: PLC0415  a sixth of the start of this process, and many templates do without

    class Dumper(yaml.CSafeDumper):
        """Writes without aliases, so that a value used twice is written twice."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    return partial(yaml.dump, Dumper=Dumper)


def _to_yaml(strings: Strings, value: Any, indent: int) -> Text:
    text: str = _dumper()(
        strings.tokens_in(value),
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=1 << 30,
        indent=indent,
    )
    return Text(text.removesuffix("\n").removesuffix("\n..."))


def _indent(strings: Strings, text: Any, width: int, *, first: bool, blank: bool) -> Any:
    if not isinstance(text, Text):
        # A string stays one scalar, which takes the indentation of its place when it is written.
        return strings.whole(str(text))
    pad = " " * width
    lines = str(text).split("\n")
    indented = [pad + line if (number or first) and (line or blank) else line for number, line in enumerate(lines)]
    return Text("\n".join(indented))


def _bytes(strings: Strings, text: Any) -> bytes:
    return strings.whole(str(text)).encode()


def render(
    environment: Environment, templates: dict[str, str], suffixes: tuple[str, ...], context: Any
) -> dict[str, Any]:
    """Render the templates with these suffixes, all with one context."""
    environment.strings = Strings()
    texts = []
    name = ""
    try:
        for name in sorted(name for name in templates if name.endswith(suffixes)):
            # A copy for each, since a list or a map of the context could be changed by reference.
            texts.append((name, environment.get_template(name).render(json.loads(json.dumps(context)))))
    except MemoryError:
        raise  # ends this process, which says that the limit was reached
    except Exception as error:  # noqa: BLE001  whatever a template does is the template's error
        return {"error": _describe(error, name, templates)}
    return {"texts": texts, "strings": environment.strings.all}


def _describe(error: Exception, name: str, templates: dict[str, str]) -> dict[str, Any]:
    file, line = name, 0
    if isinstance(error, jinja2.TemplateSyntaxError):
        file, line = error.name or name, error.lineno
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename in templates:
                file, line = frame.filename, frame.lineno or 0
    hint = (
        "give it a value, or a default: {{ values.x | default('...') }}"
        if isinstance(error, jinja2.UndefinedError)
        else ""
    )
    return {"message": f"{_title(error)}: {error}", "file": file, "line": line, "hint": hint}


def _title(error: Exception) -> str:
    titles: dict[type[Exception], str] = {
        jinja2.UndefinedError: "missing value",
        jinja2.TemplateSyntaxError: "template syntax",
        jinja2.TemplateNotFound: "no such template",
        jinja2.exceptions.SecurityError: "not allowed in a template",
    }
    return next((title for kind, title in titles.items() if isinstance(error, kind)), type(error).__name__)


def main() -> None:
    """Render a job."""
    job = json.load(sys.stdin)
    suffixes = tuple(job["suffixes"])
    environments = {key: make_environment(templates) for key, templates in job["sources"].items()}
    answers = []
    for request in job["requests"]:
        templates = job["sources"][request["source"]]
        answers.append(render(environments[request["source"]], templates, suffixes, request["context"]))
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
