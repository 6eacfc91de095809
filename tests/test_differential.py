"""Texts without end, through the engine: it sees in them what kubectl sees, and what is committed is the same object to
every reader. Or the engine refuses the text.

The long test takes 4,000 texts, the same each time; SOAK=100000 ('make soak') that many, others each time.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.engine import pool
from headgate.engine.protocol import EngineObject, Failure, Request
from headgate.errors import ManifestError
from headgate.objects.canonical import to_text
from headgate.objects.manifest import Manifest, manifests
from headgate.yamltext import write as yamltext
from support.readers import ALL, GO, ReaderError, Readers, typed, yaml_readers
from support.yamlchanges import mutated
from support.yamltexts import Choices, YamlWriter

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared/real"
SOAK = int(os.environ.get("SOAK", "0"))
MAX_TEXT = 20_000

REFUSALS = {"yaml", "object", "budget"}

# Texts that kubectl does not read, and the engine does since Helm or Kustomize do, or since nothing is in them.
NOT_KUBECTL = re.compile(
    r"^json: offset"  # JSON, then the end of a document
    r"|did not find expected <document start>|found unknown directive name"  # a directive before the first document
    r"|found character that cannot start any token"  # a document of tabs
    r"|control characters are not allowed"  # in a comment that is all there is
)

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
SOPS = 'sops: {mac: "ENC[AES256_GCM,data:a]", version: 3.9.0}\n'

choices = st.binary(min_size=200, max_size=800)
short = settings(max_examples=100, derandomize=True, database=None)
long = settings(
    max_examples=(SOAK or 4000) // 2,
    derandomize=not SOAK,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """Run the readers of Kubernetes' world."""
    with yaml_readers() as running:
        yield running


Read = tuple[EngineObject, ...] | Failure
Write = Callable[[Manifest], str]


def read(text: str) -> Read:
    """Return the objects that the engine reads, or why it refuses the text."""
    answer = pool.call(Request(kind="objects", body={"files": [{"file": "a.yaml", "text": text}]}))
    if answer.error is not None:
        raise answer.error
    return answer.failure or answer.objects


def differences(
    text: str, readers: Readers, names: tuple[str, ...], *, engine: Callable[[str], Read] = read, write: Write = to_text
) -> list[str]:
    """Return what the engine and the readers see differently; nothing for a text that is refused."""
    found = engine(text)
    if isinstance(found, Failure):
        return [] if found.kind in REFUSALS else [f"the engine fails: {found}"]
    seen = readers.views(text, ["kubectl"])["kubectl"]
    wrong = [] if is_read_alike(seen, found) else [f"kubectl sees in the text {seen}"]
    for one in found:
        try:
            (manifest,) = manifests([one])
        except ManifestError:
            continue
        committed = write(manifest)
        for name, view in readers.views(committed, names).items():
            if view != [typed(one.data)]:
                wrong.append(f"{name} sees {view}\nin what is committed: {committed!r}")
    return wrong


def is_read_alike(seen: list[Any] | ReaderError, found: tuple[EngineObject, ...]) -> bool:
    """Whether kubectl sees what the engine found. Hooks that never run are not among the engine's objects."""
    if isinstance(seen, ReaderError):
        return NOT_KUBECTL.search(str(seen)) is not None
    return [one for one in seen if not is_hook(one)] == [typed(one.data) for one in found if not one.hook]


def is_hook(data: Any) -> bool:
    """Whether an object with typed scalars is a hook of Helm."""
    annotations = data.get("metadata", {}).get("annotations") if isinstance(data.get("metadata"), dict) else None
    return isinstance(annotations, dict) and annotations.get("helm.sh/hook", ("", ""))[0] == "str"


def real_texts() -> list[str]:
    """Return objects that people wrote: of other projects, and of the examples."""
    files = [file for folder in (ROOT / "examples", REAL) for file in sorted(folder.rglob("*.yaml"))]
    texts = [file.read_text() for file in files]
    parts = [part for text in texts if "{{" not in text for part in (text, *re.split(r"(?m)^---\n", text))]
    return [
        part
        for part in parts
        if re.search(r"(?m)^apiVersion:", part) and "kind: Kustomization" not in part and len(part) < MAX_TEXT
    ]


REAL_TEXTS = real_texts()


def generated(data: bytes) -> str:
    """Return a text that these bytes stand for."""
    return YamlWriter(Choices(data)).text()


def changed(data: bytes) -> str:
    """Return a text of people, changed as these bytes say."""
    choices = Choices(data)
    return mutated(choices.choice(REAL_TEXTS), choices)


def some(data: bytes) -> tuple[str, ...]:
    """Return the readers to ask: ruamel takes as long as ten texts with all others."""
    return ALL if data[-1] % 16 == 0 else ALL[:-1]


@short
@given(data=choices)
def test_generated_text_means_the_same_to_all_readers(data: bytes, readers: Readers) -> None:
    assert differences(generated(data), readers, some(data)) == []


@short
@given(data=choices)
def test_changed_text_of_people_means_the_same_to_all_readers(data: bytes, readers: Readers) -> None:
    assert differences(changed(data), readers, some(data)) == []


@pytest.mark.long
@pytest.mark.soak
@long
@given(data=choices)
def test_many_generated_texts_mean_the_same_to_all_readers(data: bytes, readers: Readers) -> None:
    assert differences(generated(data), readers, some(data)) == []


@pytest.mark.long
@pytest.mark.soak
@long
@given(data=choices)
def test_many_changed_texts_of_people_mean_the_same_to_all_readers(data: bytes, readers: Readers) -> None:
    assert differences(changed(data), readers, some(data)) == []


def test_texts_are_neither_all_refused_nor_all_taken() -> None:
    data = [Random(seed).randbytes(600) for seed in range(300)]
    for found in ([read(generated(one)) for one in data], [read(changed(one)) for one in data]):
        assert 60 < sum(isinstance(one, tuple) and len(one) > 0 for one in found) < 240


@pytest.mark.parametrize("name", ALL)
def test_reader_that_sees_something_else_is_noticed(name: str, readers: Readers) -> None:
    text = f"{HEAD}data: {{a: '0x1F', b: '1:30', c: '0o7', d: '1.0'}}\n"
    assert differences(text, readers, (name,)) == []
    assert len(differences(text, readers, (name,), write=lambda one: to_text(one).replace('"', ""))) == 1


@pytest.mark.parametrize(
    "other", ["a: 1.5\n", "a: '1'\n", "a: true\n", f"a: 1\n---\n{HEAD}a: 1\n", "b: 1\n", "a: 1\nb: 1\n"]
)
def test_object_that_kubectl_sees_otherwise_is_noticed(other: str, readers: Readers) -> None:
    def wrong(_: str) -> Read:
        return read(HEAD + "a: 1\n")

    assert differences(HEAD + "a: 1\n", readers, (), engine=wrong) == []
    assert len(differences(HEAD + other, readers, (), engine=wrong)) == 1


# What was found once: a text that readers took for different objects.
REFUSED = {
    "a key that Kustomize takes for a merge": HEAD + '"<<": {a: b}\n',
    "a key that Kustomize takes for a merge, written otherwise": HEAD + '"\\u003c<": a\n',
    "a key too long for Kustomize": f"{HEAD}? {'k' * 1100}\n: a\n",
    "a key too long for Kustomize once it is JSON": HEAD + '? "' + "\\0" * 200 + '"\n: a\n',
    "a control character, at which Kustomize fails": HEAD + 'a: "\\x80"\n',
    "a character that is none, at which Kustomize fails": HEAD + 'a: "\\uffff"\n',
    "a line break of YAML 1.1 that becomes a space": HEAD + 'a: "x\\Ny"\n',
    "a line break of YAML 1.1 that becomes two": HEAD + 'a: "x\\n\\P"\n',
    "JSON with a line break of YAML": '{"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}, "a": "x\u0085y"}\n',
    "content behind a line break of YAML 1.1 in a comment": f"# a\u0085 b\n---\n{HEAD}",
    "a byte order mark behind a separator": f"---\n\ufeff{HEAD}",
    "a separator that is none to kubectl": f"{HEAD}---#a\n{HEAD}",
    "a carriage return that kubectl leaves out": HEAD + "a: |\r\r\n  b\n",
    "an encrypted object with a number for a key": f"{HEAD}data: {{1: a}}\n{SOPS}",
    "an encrypted object with a whole number that looks like a fraction": f"{HEAD}data: {{a: 1.0}}\n{SOPS}",
    "an encrypted object with folded text": f"{HEAD}a: >\n a\n   b\n{SOPS}",
    "an encrypted object with text that begins with a tab": f"{HEAD}a: |2\n  \ta\n{SOPS}",
    "an encrypted object with a colon that PyYAML does not take": f"{HEAD}data: {{a: b:}}\n{SOPS}",
    "an encrypted object without a value": f"{HEAD}data: {{a}}\n{SOPS}",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_text_that_readers_see_differently_is_refused(text: str) -> None:
    found = read(text)
    assert isinstance(found, Failure)
    assert found.kind in REFUSALS


@pytest.mark.parametrize(
    "text",
    [
        *(f"{HEAD}a: {block}\n  b" for block in ("|", "|+", "|-", ">", ">+")),
        f"{HEAD}a: |+\n  b\n\n ",
        f"\ufeff{HEAD}".replace("\n", "\r\n"),
        f"{HEAD}...\n---\n{HEAD}",
        f"{HEAD}a: [1.0, 1e3, 1e21, -0.0, 18446744073709551616, 0x7fffffffffffffff, 0xffffffffffffffff, 1e-7]\n",
        f"{HEAD}a: 1\n{SOPS}",
    ],
)
def test_text_that_all_may_read_is_taken_as_kubectl_takes_it(text: str, readers: Readers) -> None:
    assert isinstance(read(text), tuple)
    assert differences(text, readers, ALL) == []


def sees_strings(words: list[str], readers: Readers) -> dict[str, bool]:
    """Tell which readers see strings, as keys and as values."""
    data = {"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}, "a": {word: word for word in words}}
    views = readers.views(yamltext.write(data), (*GO, "pyyaml"))
    return {name: view == [typed(data)] for name, view in views.items()}


def words_of(alphabet: str, length: int) -> Iterator[list[str]]:
    """Yield all words of a length, few at a time, since readers compare each key with all others."""
    for first in itertools.product(alphabet, repeat=max(0, length - 2)):
        yield ["".join((*first, *rest)) for rest in itertools.product(alphabet, repeat=min(length, 2))]


@pytest.mark.parametrize(
    ("alphabet", "length"),
    [
        *(("01_xXbBoOeE+-.:~n", length) for length in (1, 2, 3)),
        pytest.param("01_xXbBoOeE+-.:~n", 4, marks=pytest.mark.long),
        pytest.param("01_xbeE+-.:", 5, marks=pytest.mark.soak),
    ],
)
def test_word_like_a_number_is_a_string_to_all_readers(alphabet: str, length: int, readers: Readers) -> None:
    for words in words_of(alphabet, length):
        assert sees_strings(words, readers) == dict.fromkeys((*GO, "pyyaml"), True)


def test_readers_have_the_versions_of_the_engine() -> None:
    def versions(file: str) -> dict[str, str]:
        return dict(re.findall(r"^\s+(?:require )?(\S+) (v\S+)", (ROOT / file).read_text(), re.MULTILINE))

    engine, own = versions("image/go.mod"), versions("tests/readers/go.mod")
    assert len(own) > 20
    assert own == {module: engine.get(module) for module in own}
