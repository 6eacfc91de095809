"""YAML texts in every style that there is, for objects of Kubernetes and for anything: most are right, many are odd.

All is chosen by `Choices`, from bytes that Hypothesis makes up: it finds the simplest text that fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# fmt: off
PLAIN = (
    "yes", "No", "on", "OFF", "y", "N", "true", "False", "TRUE", "tRUE", "null", "Null", "NULL", "nULL", "~", "=",
    "<<", "0", "-0", "+0", "1", "-1", "+1", "00", "007", "0644", "0o7", "0O7", "-0o7", "08", "1_000", "1__0", "_1",
    "1_", "0x1F", "0X1f", "-0x1", "+0x1", "0x_1", "0x", "0b11", "-0b1", "+0b1", "0b2", "0b_1", "0B1", "0o", "0b",
    "0o8", "1.0", "1.", ".5", "-.5", "+.5", ".", "..", "1.5", "1_0.5", "1.0_0", "1e3", "1E3", "1e+3", "1.e3",
    "1.0e3", ".5e1", "1.5e-3", "1e-05", "1.0e+03", "-0.0", "0.0", "0e0", "1e400", "-1e400", "1e-400", "1e21", "1e20",
    "123456789e3", ".inf", "-.inf", "+.inf", ".Inf", ".INF", ".iNF", ".nan", ".NaN", ".NAN", "inf", "nan", "NaN",
    "Infinity", "12:30", "1:2:3", "190:20:30.15", "-1:30", "1:60", "0:00", "08:09", "1:5", "12:30:45.678", "+12:30",
    "1_2:30", "2001-01-01", "2001-1-1", "2001-13-45", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5",
    "2001-01-01T0:0:0Z", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616", "0x7fffffffffffffff",
    "0xffffffffffffffff", "0x1ffffffffffffffff", "111111111111111111111111111111", "0000000000000000000000000",
    "9" * 400, "9007199254740993", "0.1", "3.14159265358979323846", "1.7976931348623157e308", "5e-324",
    "11111111111111111111.0", "0777777777777777777777", "a", "a b", "a:b", "a#b", "a,b", "-a", "--a", "a-", "a - b",
    "?a", ":a", "a'b", 'a"b', "a\\b", "a!b", "a&b", "1 2", "1:", "/a", "$(A)", "{{ a }}", "a]", "a}", "a |", "\xe4",
    "\u65e5", "\U0001f600", "10Gi", "500m", "1.2.3", "v1", "sha256:0", "1e", "e1", "0.1.2", "\u0661", "\uff11",
    "\xb2", "1\xa0", "a\u200bb", "a\xadb",
)
ESCAPES = (
    "\\n", "\\t", "\\r", "\\0", "\\a", "\\e", "\\v", "\\f", "\\b", '\\"', "\\\\", "\\ ", "\\_", "\\N", "\\L", "\\P",
    "\\x41", "\\x85", "\\xff", "\\u00e9", "\\u2028", "\\ufeff", "\\/", "\\ud800", "\\uffff", "\\U0001F600",
    "\\U00110000", "\\q",
)
CHARACTERS = (
    "a", "B", "1", " ", ":", "#", "-", ",", "'", "&", "*", "!", "|", ">", "%", "@", "`", "?", "=", "~", "{", "}",
    "[", "]", "\t", "\xe4", "\u65e5", "\U0001f600", "\x85", "\xa0", "\u2028", "\u2029", "\u200b", "\xad", "\ufffd",
    "\ue000", "\ue0000\ue001", "\u0301", "\ud7ff", "\U0010fffd",
)
ODD_CHARACTERS = ("\ufeff", "\x7f", "\x80", "\x1b", "\x00", "\uffff", "\U0010ffff")
LINES = ("a", "a: b", "- a", "", "", " ", "  a", "\ta", "# a", "---", "--- a", "...", "%A", " a ", "a\t", "'a'", "\xe4")
ODD_LINES = ("a\u2028b", "a\x85b", "\ufeffa", "a\rb", "\x85", "\x00", "\x85    a", "\u2029    a")
KEYS = (
    "a", "b", "c", "d", "e", "items", "kind", "apiVersion", "metadata", "name", "A", "a.b/c", "sops", "x-y", "a b",
    "k" * 130,
)
TAGS = (
    "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!", "!a", "!!binary", "!!timestamp", "!!set",
    "!!omap", "!!merge", "!<tag:yaml.org,2002:str>",
)
SEPARATORS = ("---\n", "--- \n", "---\t\n", "--- # a\n", "---\n---\n", "...\n---\n", "\n---\n\n", "# a\n---\n# b\n")
ODD_SEPARATORS = (
    "---#a\n", "--- a\n", "--- {}\n", "--- |\n", "----\n", "---a: b\n", " ---\n", "...\n", "... # a\n---\n", "---\r",
    "\r---\r\n", "\x85---\n", "", "---\n\ufeff", "\ufeff---\n", "...\n%TAG ! tag:example.com,2000:\n---\n",
    "%YAML 1.1\n---\n", "...\n%YAML 1.1\n---\n", "...\n%YAML 1.2\n---\n", "%A\n---\n",
)
KINDS = (
    ("v1", "ConfigMap"), ("example.com/v1", "Thing"), ("v1", "ConfigMap"), ("example.com/v1", "Thing"),
    ("v1", "ConfigMap"), ("example.com/v1", "Thing"), ("v1", "ConfigMap"), ("example.com/v1", "Thing"),
    ("v1", "List"), ("v1", "ConfigMapList"), ("config.kubernetes.io/v1", "ResourceList"), ("v1", "Secret"),
    ("apps/v1", "Deployment"), ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("example.com/v1", "ThingsList"), ("example.com/v1", "Yes"), ("v1", "Nonelist"),
)
_BREAKS = (
    "\r\n", "\r", "\x85", "\u2028", "\n\r", "\n\n", "\x0b", "\x0c", "\n\ufeff", "\n\t", "\n ", " \n", "\t\n",
    " # a\n",
)
BODY = ("spec", "data", "a", "b", "spec", "data", "c", "sops")
LIST_BODY = ("items", "items", "spec", "data")
FLOW_KEYS = ("a", '"b"', "'c'", "? d", "1", "yes", "1.0", "0x1", '"1"', "~")
ODD_KEYS = (
    f"? {'K' * 1100}\n:", f"{'K' * 1100}:", "*k :", "[a]:", '"<<":', "? a\n", "? a\n:", "!!str a:", "&k a:", "a :",
)
LEAVES = (None, True, 0, -1, 1.0, 1.5, 1e21, 1e-7, 2**53 + 1, 2**63, 10**30, -0.0)
# fmt: on


class Choices:
    """Chooses by bytes; when there are no more, the first and simplest."""

    def __init__(self, data: bytes) -> None:
        """Take the bytes."""
        self._bytes = iter(data)

    def below(self, end: int) -> int:
        """Return a number from 0, below ``end``."""
        return (next(self._bytes, 0) + 256 * (next(self._bytes, 0) if end > 256 else 0)) % end

    def choice(self, among: Sequence[T]) -> T:
        """Return one of these."""
        return among[self.below(len(among))]

    def chance(self, likely: float) -> bool:
        """Say yes now and then."""
        return self.below(65_536) >= round(65_536 * (1 - likely))


class YamlWriter:
    """Writes one text. ``odd`` is how likely it leaves the path of what everybody writes."""

    def __init__(self, choices: Choices) -> None:
        """Choose how odd the text will be."""
        self.choices = choices
        self.chance = choices.chance
        self.choice = choices.choice
        self.odd = self.choice((0.0, 0.01, 0.03, 0.1))
        self.anchors: list[str] = []

    def text(self) -> str:
        """Return a text of one or several documents."""
        documents = [self.document() for _ in range(self.choice((1, 1, 1, 2, 3)))]
        text = documents[0]
        for document in documents[1:]:
            text += self.separator() + document
        if self.chance(0.2):
            text = self.separator() + text
        if self.chance(0.2):
            text += self.separator()
        return self.broken(text)

    def separator(self) -> str:
        """Return what stands between documents."""
        return self.choice(ODD_SEPARATORS if self.is_odd() else SEPARATORS)

    def is_odd(self) -> bool:
        """Say yes as often as this text is odd."""
        return self.chance(self.odd)

    def broken(self, text: str) -> str:
        """Return a text with some of its line breaks changed."""
        if self.chance(0.1):
            text = text.replace("\n", "\r\n")
        if self.chance(0.05):
            text = "\ufeff" + text
        if self.chance(0.2):
            text = text.rstrip(self.choice(("\n", "\n", " \n", "")))
        if not self.is_odd():
            return text
        return re.sub("\n", lambda found: self.choice(_BREAKS) if self.chance(0.15) else found[0], text)

    def document(self) -> str:
        """Return one document: mostly an object, written in one of many ways."""
        self.anchors = []
        way = self.choices.below(12)
        if way == 0 and self.is_odd():
            return self.value(0, 3).lstrip(" \n")
        if way == 1:
            text = json.dumps(self.data(), indent=self.choice((None, 1, 2)), ensure_ascii=self.chance(0.5))
            return f"{text}\n"
        version, kind = self.choice(KINDS)
        head = [f"apiVersion: {self.word(version)}\n", f"kind: {self.word(kind)}\n", "metadata:" + self.metadata()]
        among = LIST_BODY if kind.endswith("List") or self.is_odd() else BODY
        body = [f"{key}:{self.value(0, 3)}" for key in self.keys(among, 2)]
        if self.chance(0.07):
            body.append('sops: {mac: "ENC[AES256_GCM,data:a]", version: 3.9.0}\n')
        parts = head + body
        at = self.choices.below(len(parts)) if self.chance(0.1) else 0
        return "".join(parts[at:] + parts[:at])

    def word(self, text: str) -> str:
        """Return a word without or with quotes."""
        return self.choice((text, text, f'"{text}"', f"'{text}'"))

    def metadata(self) -> str:
        """Return what names an object."""
        name = self.choice(("x", "x", "'y'", '"0644"', "z-1", "!!str 1" if self.is_odd() else "w"))
        if self.chance(0.3):
            return f" {{name: {name}, annotations: {{a: {self.double(2)}}}}}\n"
        more = f"  labels:\n    a:{self.text_value(4)}" if self.chance(0.3) else ""
        return f"\n  name: {name}\n{more}"

    def text_value(self, pad: int) -> str:
        """Return a value that is a string to all readers, in quotes or as a block."""
        ways = (self.double, self.single, self.block)
        return f" {self.choice(ways)(pad)}\n"

    def value(self, pad: int, depth: int) -> str:
        """Return what follows a key at the column ``pad`` or a dash there."""
        if depth > 0 and self.chance(0.35):
            lead = self.properties(("!!map", "!!seq", "!a"))
            inner = pad + self.choice((1, 2, 2, 2, 4))
            if self.chance(0.6):
                return f"{lead}{self.comment()}\n{self.mapping(inner, depth - 1)}"
            column = self.choice((pad, inner)) if pad else inner
            return f"{lead}{self.comment()}\n{self.sequence(column, depth - 1)}"
        if self.anchors and self.chance(0.1):
            return f" *{self.choice(self.anchors)}{self.comment()}\n"
        lead = self.properties(TAGS)
        scalar = self.choice((self.plain, self.plain, self.plain, self.single, self.double, self.block, self.flow))
        text = scalar(pad)
        return f"{lead} {text}{'' if scalar == self.block else self.comment()}\n"

    def properties(self, tags: Sequence[str]) -> str:
        """Return an anchor or a tag."""
        lead = ""
        if self.chance(0.1):
            self.anchors.append(self.choice("abcd"))
            lead += f" &{self.anchors[-1]}"
        if self.is_odd() or self.chance(0.02):
            lead += f" {self.choice(tags)}"
        return lead

    def comment(self) -> str:
        """Return the end of a line."""
        return self.choice((" # a", "  #", "\t# b: c", " ")) if self.chance(0.1) else ""

    def keys(self, among: Sequence[str], limit: int) -> list[str]:
        """Return keys that are not equal, as a rule."""
        count = 1 + self.choices.below(limit)
        found = [self.choice(among) for _ in range(count)]
        return found if self.is_odd() else list(dict.fromkeys(found))

    def key(self, plain: str) -> str:
        """Return a key as it is written, with its colon."""
        if self.is_odd():
            return self.choice((*ODD_KEYS, f"{self.single(0)}:", f"{self.double(0)}:", f"{self.plain(0)}:"))
        if self.chance(0.15):
            return f"{self.choice((self.plain, self.single, self.double))(0)}:"
        return f"{plain}:"

    def mapping(self, pad: int, depth: int) -> str:
        """Return a block mapping at a column."""
        lines = []
        for key in self.keys(KEYS, 3):
            lead = " " * pad if not self.is_odd() else self.choice(("", "\t", " " * (pad + 1)))
            written = self.key(key).replace("\n:", f"\n{' ' * pad}:")
            lines.append(f"{lead}{written}{self.value(pad, depth)}")
            if self.chance(0.05):
                lines.append(self.choice(("\n", "# a\n", " " * pad + "# a\n", "  \n", "\t\n")))
        if self.anchors and self.chance(0.1):
            merged = self.choice((f"*{self.anchors[-1]}", f"[*{self.anchors[-1]}, *{self.anchors[0]}]", "{a: b}", "a"))
            lines.insert(self.choices.below(len(lines) + 1), f"{' ' * pad}<<: {merged}\n")
        return "".join(lines)

    def sequence(self, pad: int, depth: int) -> str:
        """Return a block sequence at a column."""
        lines = []
        for _ in range(1 + self.choices.below(3)):
            if depth > 0 and self.chance(0.4):
                inner = self.choice((self.mapping, self.sequence))(pad + 2, depth - 1)
                lines.append(f"{' ' * pad}- {inner.removeprefix(' ' * (pad + 2))}")
            else:
                lines.append(f"{' ' * pad}-{self.value(pad, depth)}")
        return "".join(lines)

    def plain(self, pad: int) -> str:
        """Return a scalar without quotes, mostly on one line."""
        if self.chance(0.2):
            return (
                "".join(
                    self.choice("0123456789+-.:eExobTZ_ nfalyus~") for _ in range(1 + self.choices.below(6))
                ).strip()
                or "a"
            )
        found = self.choice(PLAIN)
        return f"{found}\n{' ' * (pad + 2)}{self.choice(PLAIN)}" if pad and self.is_odd() else found

    def characters(self, more: Sequence[str]) -> list[str]:
        """Return some characters for a string."""
        ordinary = ODD_CHARACTERS if self.is_odd() else CHARACTERS
        return [self.choice(more if self.chance(0.3) else ordinary) for _ in range(self.choices.below(7))]

    def single(self, pad: int) -> str:
        """Return a string in single quotes."""
        folds = (f"\n{' ' * (pad + 1)}", f"\n\n{' ' * (pad + 1)}") if pad else ("a",)
        return f"'{''.join(self.characters(('yes', '1', *folds))).replace(chr(39), chr(39) * 2)}'"

    def double(self, pad: int) -> str:
        """Return a string in double quotes."""
        folds = (f"\n{' ' * (pad + 1)}", f"\\\n{' ' * (pad + 1)}", f"\n \n{' ' * (pad + 1)}") if pad else ("a",)
        escapes = ESCAPES if self.is_odd() else ESCAPES[:-6]
        return f'"{"".join(self.characters((*escapes, "no", *folds)))}"'

    def block(self, pad: int) -> str:
        """Return a literal or folded block, without its last line break."""
        indent = self.choice((1, 2, 2, 4))
        lines = [self.choice(ODD_LINES if self.is_odd() else LINES) for _ in range(1 + self.choices.below(4))]
        leading = lines[0].startswith((" ", "\t")) or not lines[0]
        indicator = str(indent) if leading and not self.is_odd() else ""
        head = self.choice("|>") + indicator + self.choice(("", "-", "+"))
        margin = " " * (pad + indent)
        return (
            head + self.comment() + "".join(f"\n{margin}{line}" if line or self.chance(0.2) else "\n" for line in lines)
        )

    def flow(self, pad: int, depth: int = 2) -> str:
        """Return a flow collection, or a scalar for one."""
        if depth == 0 or self.chance(0.3):
            found = self.choice((self.plain, self.single, self.double))(0)
            return found if self.is_odd() else re.sub(r"^[\[\]{},&*!|>%@`?:-].*|[\[\]{},].*|: .*| #.*", "a", found)
        inner = [self.flow(pad, depth - 1) for _ in range(self.choices.below(4))]
        comma = self.choice((", ", ",", f",\n{' ' * (pad + 1)}", f" , # a\n{' ' * (pad + 1)}"))
        last = "," if inner and self.chance(0.1) else ""
        if self.chance(0.5):
            return f"[{comma.join(inner)}{last}]"
        keys = self.keys(FLOW_KEYS, 3)
        pairs = [f"{key}: {value}" for key, value in zip(keys, inner, strict=False)]
        return "{" + comma.join([*pairs, *(["e"] if self.is_odd() else [])]) + last + "}"

    def data(self) -> Any:
        """Return an object for JSON."""
        version, kind = self.choice(KINDS)
        found = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": self.anything(3)}
        return [found] if self.is_odd() else found

    def anything(self, depth: int) -> Any:
        """Return what JSON can hold."""
        way = self.choices.below(8)
        if depth > 0 and way < 2:
            return {self.choice((*KEYS, *PLAIN)): self.anything(depth - 1) for _ in range(self.choices.below(4))}
        if depth > 0 and way < 4:
            return [self.anything(depth - 1) for _ in range(self.choices.below(4))]
        leaves = (*LEAVES, "".join(self.characters(PLAIN)))
        return self.choice(leaves)
