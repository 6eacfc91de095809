"""The process that renders Jinja2 templates; it speaks the engine's protocol (docs/engine.md).

It runs on its own (``python -I jinja_child.py --memory BYTES --seconds N``, 0: no limit) and imports nothing of
Headgate but `lock_child`, by path. It locks itself in before it reads the first byte of input, unless ``--no-lock``
is given, and its first line says whether it did. It continues in both cases, so a caller that requires the lock reads
this line before it writes anything.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import importlib
import importlib.util
import json
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.sandbox
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

_TOKEN = re.compile("\ue000([0-9]{1,9})\ue001")  # as the engine reads them


class OwnText(str):
    """Text that a template itself produced: a macro, a block, or a filter that writes YAML. It is printed unchanged,
    since its values are tokens already.
    """

    __slots__ = ()


class OverBudgetError(Exception):
    """A render has more text than the request's budget allows."""


class StringTokens:
    """The strings of a render, of at most ``limit`` characters (0: no limit), since the caller holds them in memory.
    Each is printed as a token, which the engine replaces after parsing.
    """

    def __init__(self, limit: int = 0) -> None:
        """Start empty."""
        self.all: list[str] = []
        self._limit, self._length = limit, 0

    def count(self, text: str) -> None:
        """Count a text that goes to the caller. Raises OverBudgetError."""
        self._length += len(text)
        if 0 < self._limit < self._length:
            raise OverBudgetError(f"more than {self._limit} characters are rendered")

    def token(self, text: str) -> str:
        """Return the token for ``text``, whose own tokens are resolved first. Raises OverBudgetError."""
        self.all.append(self.whole(text))
        self.count(self.all[-1])
        return f"\ue000{len(self.all) - 1}\ue001"

    def whole(self, text: str) -> str:
        """Return ``text`` with its tokens replaced by their strings. What no string has for a number is no token."""
        return _TOKEN.sub(self._string, text) if "\ue000" in text else text

    def _string(self, token: re.Match[str]) -> str:
        return self.all[int(token[1])] if int(token[1]) < len(self.all) else token[0]

    def tokens_in(self, value: Any) -> Any:
        """Return data with tokens for all strings, including keys."""
        if isinstance(value, dict):
            return {self.tokens_in(key): self.tokens_in(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tokens_in(item) for item in value]
        return self.token(value) if isinstance(value, str) else value


class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """A sandbox in which templates change nothing and read only their own files."""

    strings: StringTokens

    @staticmethod
    def concat(parts: Iterable[str]) -> OwnText:
        """Join the output of a macro, a block or a whole template."""
        return OwnText("".join(parts))

    @jinja2.pass_context  # which also keeps Jinja2 from printing constants while it compiles
    def finalize_value(self, _context: jinja2.runtime.Context, value: Any) -> Any:
        """Print a value that cannot break out of its place."""
        if isinstance(value, OwnText):
            return str(value)
        if isinstance(value, str):
            return self.strings.token(value)
        if value is None or isinstance(value, (bool, int, float, dict, list, tuple)):
            return json.dumps(self.strings.tokens_in(value), ensure_ascii=False)  # JSON is YAML
        if isinstance(value, jinja2.Undefined):
            return str(value)  # raises an error with the missing name
        raise jinja2.TemplateRuntimeError(f"a {type(value).__name__} cannot be printed")


def make_environment(templates: dict[str, str]) -> Sandbox:
    """Return the environment of one source."""
    made = Sandbox(
        # The third item is the file name in error traces.
        loader=jinja2.FunctionLoader(lambda name: (templates[name], name, None) if name in templates else None),
        optimized=False,  # filters that make tokens must run for each render
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    made.finalize = made.finalize_value
    for name in ("random", "pprint", "urlize", "xmlattr"):  # random, or useless in YAML
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
        trim=lambda text, chars=None: (
            OwnText(text.strip(chars)) if isinstance(text, OwnText) else str(text).strip(chars)
        ),
        quote=lambda value: made.strings.whole(str(value)),
    )
    return made


class _Dumper(yaml.CSafeDumper):
    """Writes a repeated value again instead of an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _to_yaml(strings: StringTokens, value: Any, indent: int) -> OwnText:
    text: str = yaml.dump(
        strings.tokens_in(value),
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=1 << 30,
        indent=indent,
    )
    return OwnText(text.removesuffix("\n").removesuffix("\n..."))


def _indent(strings: StringTokens, text: Any, width: int, *, first: bool, blank: bool) -> Any:
    if not isinstance(text, OwnText):
        # A string stays a single scalar; writing the YAML indents it.
        return strings.whole(str(text))
    pad = " " * width
    lines = str(text).split("\n")
    indented = [pad + line if (number or first) and (line or blank) else line for number, line in enumerate(lines)]
    return OwnText("\n".join(indented))


def _bytes(strings: StringTokens, text: Any) -> bytes:
    return strings.whole(str(text)).encode()


def render(
    environment: Sandbox, templates: dict[str, str], suffixes: tuple[str, ...], context: Any, limit: int = 0
) -> dict[str, Any]:
    """Render the templates with these suffixes with the same context. ``limit`` is that of `StringTokens`."""
    environment.strings = StringTokens(limit)
    texts = []
    name = ""
    try:
        for name in sorted(name for name in templates if name.endswith(suffixes)):
            # A copy for each template, which could change a list or map of the context.
            texts.append((name, environment.get_template(name).render(json.loads(json.dumps(context)))))
            environment.strings.count(texts[-1][1])
    except MemoryError:
        raise  # ends this process: the caller reports the limit
    except Exception as error:  # noqa: BLE001  any exception in a template is the template's error
        return {"error": _describe(error, name, templates)}
    return {"value": {"texts": texts, "strings": environment.strings.all}}


def _describe(error: Exception, name: str, templates: dict[str, str]) -> dict[str, Any]:
    file, line = name, 0
    if isinstance(error, jinja2.TemplateSyntaxError):
        file, line = error.name or name, error.lineno
    else:
        for frame, number in traceback.walk_tb(error.__traceback__):  # opens no source files
            if frame.f_code.co_filename in templates:
                file, line = frame.f_code.co_filename, number
    kind, message, hint = "render", f"{_title(error)}: {error}"[:8000], ""
    if isinstance(error, jinja2.UndefinedError):
        hint = "give it a value, or a default: {{ values.x | default('...') }}"
    if isinstance(error, OverBudgetError):
        kind, message = "budget", str(error)
        hint = "check for a loop or a value that keeps growing; the limit is limits.input_mebibytes of headgate.yaml"
    return {"kind": kind, "message": message, "file": file, "line": line, "hint": hint}


def _title(error: Exception) -> str:
    titles: dict[type[Exception], str] = {
        jinja2.UndefinedError: "missing value",
        jinja2.TemplateSyntaxError: "template syntax",
        jinja2.TemplateNotFound: "no such template",
        jinja2.exceptions.SecurityError: "not allowed in a template",
    }
    return next((title for kind, title in titles.items() if isinstance(error, kind)), type(error).__name__)


# Modules that the standard library and Jinja2 import lazily and a template can reach.
_NEEDED_LATER = (
    "html",  # striptags
    "jinja2.debug",  # every error in a template
    "linecache",  # a traceback of this program's own
    "textwrap",  # wordwrap
    "tokenize",
    "unicodedata",  # names of characters in strings
)
_CODECS = ("ascii", "latin-1", "utf-8-sig", "utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "unicode-escape")


def import_ahead() -> None:
    """Import what templates may need before this process can no longer open files."""
    for name in _NEEDED_LATER:
        importlib.import_module(name)
    for name in _CODECS:
        codecs.lookup(name)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("_pylong")  # arithmetic with very long integers, since Python 3.12
    hashlib.sha256()  # OpenSSL reads its configuration on first use


def _enter_sandbox(arguments: list[str]) -> dict[str, Any]:
    """Set the limits, lock this process in, and return the sandbox fields of the greeting."""
    memory, seconds = (_number(arguments, name) for name in ("--memory", "--seconds"))
    lock_child = _sibling("lock_child")
    if "--no-lock" in arguments:
        lock_child.limit(memory, seconds)
        return {"sandbox": False, "reason": "switched off"}
    try:
        lock_child.lock(memory, seconds)
    except OSError as error:
        return {"sandbox": False, "reason": str(error)}
    return {"sandbox": True}


def _number(arguments: list[str], name: str) -> int:
    return int(arguments[arguments.index(name) + 1]) if name in arguments else 0


def _sibling(name: str) -> ModuleType:
    """Import a module of the same folder without its package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write_line(line: dict[str, Any]) -> None:
    """Write without escapes, which take the caller's memory; and flush: a limit would lose buffered output."""
    sys.stdout.buffer.write((json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))
    sys.stdout.flush()


def main() -> None:
    """Lock this process in and answer until the input ends."""
    import_ahead()
    first_line = _enter_sandbox(sys.argv[1:])
    sys.meta_path.clear()  # no further imports, so that renders are the same without the lock
    _write_line({"protocol": 1, **first_line})
    trees: dict[str, dict[str, str]] = {}
    environments: dict[str, Sandbox] = {}
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "tree" in message:
            trees[message["tree"]] = message["files"]
            environments[message["tree"]] = make_environment(message["files"])
            continue
        body, limit = message["jinja2"], message.get("budget", {}).get("bytes_in", 0)
        environment, templates = environments[body["tree"]], trees[body["tree"]]
        rendered = render(environment, templates, tuple(body["suffixes"]), body["context"], limit)
        _write_line({"request": message["request"], "done": True, **rendered})


if __name__ == "__main__":
    main()
