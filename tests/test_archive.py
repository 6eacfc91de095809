"""Archives of charts: what they hold, and what they may not."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from headgate.dependencies.archive import unpack, without_archives
from headgate.errors import Location, RenderError, TooLargeError, UnsafeFileError
from headgate.repository.tree import MEBI, MemoryBlob, Tree
from support.trees import tree_of

CHART = b"apiVersion: v2\nname: redis\nversion: 1.0.0\n"
OWNER = "web"
PLACE = Location("deploy/charts/redis-1.0.0.tgz")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Return an entry of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def archive(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    """Return a packed chart with these entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for info, data in members:
            entry = member(info) if isinstance(info, str) else info
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def test_files_come_without_the_folder_that_holds_them() -> None:
    with pytest.raises(UnsafeFileError, match="outside the chart's folder"):
        unpack(archive(("Chart.yaml", CHART)), PLACE)
    packed = archive((member("redis", tarfile.DIRTYPE), b""), ("redis/Chart.yaml", CHART), ("./redis/a/b.yaml", b"a"))
    assert unpack(packed, PLACE) == {"Chart.yaml": CHART, "a/b.yaml": b"a"}


@pytest.mark.parametrize(
    "entry",
    [
        member("redis/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("redis/link", tarfile.LNKTYPE, "redis/Chart.yaml"),
        member("redis/pipe", tarfile.FIFOTYPE),
        member("redis/device", tarfile.CHRTYPE),
        member("redis/../../evil.yaml"),
        member("/redis/evil.yaml"),
        member("redis\\..\\evil.yaml"),
        member("redis/a\nb.yaml"),
    ],
)
def test_what_is_no_plain_file_below_the_chart_is_refused(entry: tarfile.TarInfo) -> None:
    with pytest.raises(UnsafeFileError, match="not a plain file") as refused:
        unpack(archive(("redis/Chart.yaml", CHART), (entry, b"")), PLACE)
    assert refused.value.where == PLACE


def test_many_files_are_refused() -> None:
    many = [(f"redis/{number}", b"") for number in range(5001)]
    with pytest.raises(TooLargeError, match="more than 5000 files"):
        unpack(archive(*many), PLACE)


def test_what_unpacks_to_much_more_is_refused_without_being_kept() -> None:
    with pytest.raises(TooLargeError, match="the unpacked archive exceeds the size limit"):
        unpack(gzip.compress(bytes(200 * MEBI), compresslevel=1), PLACE)


@pytest.mark.long
def test_a_header_that_is_large_itself_is_refused() -> None:
    header = member("redis/a")
    header.pax_headers = {"comment": "x" * (100 * MEBI)}
    with pytest.raises(TooLargeError, match="the unpacked archive exceeds the size limit"):
        unpack(archive((header, b"")), PLACE)


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no tar file" * 100), archive()[:20]],
    ids=["nothing", "text", "no tar file", "cut off"],  # what gzip writes holds the time
)
def test_what_is_no_archive_is_said_so(data: bytes) -> None:
    with pytest.raises(RenderError, match="not a chart archive"):
        unpack(data, PLACE)


def test_archives_in_archives_are_unpacked() -> None:
    inner = archive(("redis/Chart.yaml", CHART), ("redis/templates/a.yaml", b"a"))
    outer = archive(("queue/Chart.yaml", CHART.replace(b"redis", b"queue")), ("queue/charts/redis-1.0.0.tgz", inner))
    files = without_archives(
        tree_of({"Chart.yaml": "", "charts/q.tgz": outer, "charts/_x.tgz": b"", "a.tgz": b""}), "web", OWNER
    )
    inside = ["charts/queue/Chart.yaml", "charts/queue/charts/redis/Chart.yaml"]
    inside += ["charts/queue/charts/redis/templates/a.yaml"]
    assert files.paths() == ["Chart.yaml", "a.tgz", "charts/_x.tgz", *inside]


def test_two_archives_of_one_chart_do_not_mix() -> None:
    packed = {
        f"charts/redis-{number}.tgz": archive(("redis/Chart.yaml", CHART), (f"redis/{number}", b"")) for number in "12"
    }
    files = without_archives(tree_of(packed), "web", OWNER)
    first = ["charts/redis-2/2", "charts/redis-2/Chart.yaml"]
    assert files.paths() == [*first, "charts/redis/1", "charts/redis/Chart.yaml"]


def test_archives_that_hold_much_together_are_refused() -> None:
    large = {f"charts/{number}.tgz": archive(("redis/a", bytes(20 * MEBI))) for number in range(3)}
    with pytest.raises(TooLargeError, match="the unpacked archive exceeds the size limit"):
        without_archives(tree_of(large), "web", OWNER)


def test_archives_nested_without_end_are_refused() -> None:
    packed = archive(("a/x", b""))
    for _ in range(12):
        packed = archive(("a/charts/a.tgz", packed))
    with pytest.raises(TooLargeError, match="nested deeper than 10"):
        without_archives(Tree({"charts/a.tgz": MemoryBlob(packed)}), "web", OWNER)
