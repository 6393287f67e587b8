"""What stands in a folder under which name: names of any bytes, and things that are no files. No link is ever followed."""

import hashlib
import os
import stat
from io import BufferedReader
from itertools import chain, count
from pathlib import Path

REPORT = ".report.txt"
_LONGEST_NAME = 255  # bytes of a file's name on every common file system
_KINDS = {
    stat.S_IFLNK: "a link to another place, which is not followed: drop the file itself into the inbox",
    stat.S_IFIFO: "a pipe and no file: drop a file into the inbox",
    stat.S_IFSOCK: "a socket and no file: drop a file into the inbox",
    stat.S_IFDIR: "a folder: drop its files themselves into the inbox",
}
_DEVICE = "a device and no file: drop a file into the inbox"


def odd_kind(path: Path) -> str | None:
    """Say what an entry is, and what to do, when it is no file; None for a file, and for what has gone meanwhile."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), _DEVICE)


def is_folder(path: Path) -> bool:
    """Tell whether an entry is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def opened(path: Path) -> BufferedReader:
    """Open a file, without its name, which a parser need not understand; no link, and no pipe that would wait for a writer."""
    held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    return os.fdopen(held, "rb")


def free(path: Path) -> Path:
    """Return the path, or the next like it, where nothing stands; a link to nothing stands there, too."""
    others = (path.with_name(fitting(path.name, f".{number}")) for number in count(2))
    return next(one for one in chain((path,), others) if not os.path.lexists(one))


def report_of(path: Path) -> Path:
    """Return where the report on a file stands."""
    return path.with_name(fitting(path.name, REPORT))


def write_anew(path: Path, text: str) -> None:
    """Write a file in the place of whatever stood there: never through a link that somebody put there."""
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)


def fitting(name: str, ending: str) -> str:
    """Return a name with an ending; of a name that would be too long with it, as much as fits and a mark of the rest."""
    whole = os.fsencode(name)
    room = _LONGEST_NAME - len(os.fsencode(ending))
    if len(whole) > room:
        mark = f"~{hashlib.sha256(whole).hexdigest()[:8]}"
        name = os.fsdecode(whole[: room - len(mark)]) + mark
    return name + ending


def said(name: str) -> str:
    """Return a file's name as it can be written down, whatever bytes it is made of."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)
