"""File names that git takes for its own on some system, or that some system's checkout cannot hold. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The suffix that NTFS ignores: dots and spaces, and the name of a stream.
# https://github.com/git/git/blob/master/path.c (is_ntfs_dotgit, is_ntfs_dot_generic)
_IGNORED_END = r"[. ]*(?::.*)?"


def _short_names(beginning: str, hashed: str) -> str:
    """Return a pattern of the short names of Windows for a long name: its beginning and a number, or a hash and one."""
    numbered = "|".join(rf"{hashed[:kept]}~[1-9][0-9]{{{6 - kept}}}" for kept in range(7))
    return rf"{beginning}~[1-4]|{numbered}"


_GITS_OWN = re.compile(
    rf"(?:\.git|git~1|\.gitmodules|{_short_names('gitmod', 'gi7eba')}|"
    rf"\.gitattributes|{_short_names('gitatt', 'gi7d29')}){_IGNORED_END}",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
# Characters that HFS+ ignores: https://github.com/git/git/blob/master/utf8.c (next_hfs_char)
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


@lru_cache(maxsize=16384)  # folders have the same names again and again
def is_gits_own(name: str) -> bool:
    """Whether some file system takes a name for ``.git``, ``.gitmodules`` or ``.gitattributes``."""
    return _GITS_OWN.fullmatch(_IGNORED.sub("", name)) is not None


# https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:[.:].*)?", re.IGNORECASE | re.DOTALL
)
_RESERVED = re.compile(r'[<>:"|?*\\\x00-\x1f]')


def unportable(name: str) -> str:
    """Return why a checkout on Windows cannot hold a name; an empty string where it can."""
    if _DEVICE.fullmatch(name):
        return "is a device on Windows"
    if name.endswith((".", " ")):
        return "ends with a dot or space, which Windows drops"
    match = _RESERVED.search(name)
    return f"has the character {match[0]!r}, which Windows does not take" if match else ""


def collision(paths: Iterable[str]) -> tuple[str, str] | None:
    """Return two paths, or folders, that are one on Windows or macOS: equal but for case or Unicode spelling."""
    spellings: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            spelling = "/".join(parts[:depth])
            other = spellings.setdefault(_folded(spelling), spelling)
            if other != spelling:
                return other, spelling
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
