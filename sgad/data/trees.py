"""Folders and archives read in the same way: nothing is unpacked, nothing leaves the tree, nothing swells."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from sgad.errors import InputError
from sgad.machine.stand_ins import read_start, refuse_stand_in, unreadable

ARCHIVES = (".zip", ".npz", ".tar", ".tar.gz", ".tgz")

#: No file of the data sets that we know is larger; a header that promises more is a bomb or a mistake.
_MAX_FILE = 4 * 2**30
_MAX_TOTAL = 64 * 2**30
_MAX_TAR = 2**30
#: Deflate cannot shrink images by more than this; only files above the size below are judged.
_MAX_RATIO = 200
_RATIO_FROM = 64 * 2**20
#: What systems and programs put next to people's files, besides all names that start with a dot; small letters.
_SYSTEM_FILES = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found"}


def hidden_part(name: str) -> str:
    """The first hidden part of a relative name, with the folders above it; empty if no part is hidden.

    Hidden are names that start with a dot and what systems add: `__MACOSX`, Thumbs.db, desktop.ini and their kin. The
    one rule for folders, zip and tar, for data that is prepared and images that are measured.
    """
    parts = name.split("/")
    for depth, part in enumerate(parts, 1):
        if (part.startswith(".") and part != ".") or part.lower() in _SYSTEM_FILES:
            return "/".join(parts[:depth])
    return ""


class Tree:
    """The files below a folder or inside an archive, by relative name, sorted; `hidden` are those that do not count."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = dict(sorted(_listing(root)))
        self.sizes: dict[str, int] = {name: size for name, size in listed.items() if not hidden_part(name)}
        self.hidden = tuple(dict.fromkeys(part for name in listed if (part := hidden_part(name))))

    def named(self, *names: str) -> str | None:
        """The one file with one of these base names (case ignored) that is highest in the tree."""
        wanted = {name.lower() for name in names}
        found = [name for name in self.sizes if PurePosixPath(name).name.lower() in wanted]
        return min(found, key=lambda name: (name.count("/"), name), default=None)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return read_member(self.root, name)

    def source(self, name: str) -> Path | io.BytesIO:
        """A file as Pillow opens it: by its path, so that a header is read alone, or from memory in an archive."""
        return self.root / name if self.root.is_dir() else io.BytesIO(self.read(name))

    def label(self, name: str) -> str:
        """How messages call a file of the tree."""
        return member_label(self.root, name)


def member_label(root: Path, name: str) -> str:
    """Text such as "folder/name" or "archive: name"."""
    return f"{root}: {name}" if root.is_file() else str(root / name)


def read_member(root: Path, name: str) -> bytes:
    """The content of one file below a folder or inside an archive."""
    try:
        if root.is_dir():
            return (root / name).read_bytes()
        if is_tar(root):
            return _tar_members(root, root.stat().st_mtime_ns)[name]
        archive, stored = _zip_handle(root, root.stat().st_mtime_ns, os.getpid())
        return archive.read(stored[name])
    except OSError as error:
        raise unreadable(member_label(root, name), error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{root}: {name} is damaged ({error}); fetch the archive again") from error


def is_tar(path: Path) -> bool:
    """Whether a file's name is that of a tar archive."""
    return path.name.lower().endswith((".tar", ".tar.gz", ".tgz"))


def is_archive(path: Path) -> bool:
    """Whether a path is a file that is read as a tree."""
    return path.name.lower().endswith(ARCHIVES) and path.is_file()


def _listing(root: Path) -> Iterator[tuple[str, int]]:
    if root.is_dir():
        yield from _walk(root, "", ())
    elif is_tar(root):
        yield from ((name, len(content)) for name, content in _tar_members(root, root.stat().st_mtime_ns).items())
    else:
        yield from ((_with_slashes(item.filename), item.file_size) for item in check_zip(root))


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, int]]:
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from error
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise InputError(f"{folder} is a link to a folder above it, a loop; remove the link")
    for entry in entries:
        if hidden_part(entry.name):
            # Listed, so that it can be named, and never opened: a trash folder may forbid that.
            yield prefix + entry.name, 0
            continue
        try:
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, here))
            else:
                yield prefix + entry.name, entry.stat().st_size
        except OSError as error:
            raise unreadable(entry.path, error) from error


def check_zip(path: Path) -> list[zipfile.ZipInfo]:
    """The files of a zip archive, sorted by name, after refusing what could do harm.

    Raises
    ------
    InputError
        If it is not a zip, is encrypted, has links or names that lead out of it, or would swell too much.
    """
    refuse_stand_in(path, read_start(path))
    try:
        with zipfile.ZipFile(path) as archive:
            items = [item for item in archive.infolist() if not item.filename.endswith(("/", "\\"))]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path} is not a whole zip archive ({error}); fetch it again") from error
    except OSError as error:
        raise unreadable(path, error) from error
    for item in items:
        _refuse_unsafe(path, item)
    if sum(item.file_size for item in items) > _MAX_TOTAL:
        raise InputError(f"{path} would unpack to more than {_MAX_TOTAL >> 30} GiB, as a zip bomb does; do not use it")
    return sorted(items, key=lambda item: item.filename)


def _refuse_unsafe(path: Path, item: zipfile.ZipInfo) -> None:
    name = item.filename
    if is_unsafe_name(name):
        raise InputError(f"{path} holds the name {name!r}, which leads out of the archive; do not use this file")
    if stat.S_ISLNK(item.external_attr >> 16):
        raise InputError(f"{path} holds the link {name!r}; pack the files themselves")
    if item.flag_bits & 1:
        raise InputError(f"{path}: {name} is encrypted; unpack the archive with its password first")
    swells = item.file_size > _RATIO_FROM and item.file_size > _MAX_RATIO * max(item.compress_size, 1)
    # Constant arrays in an .npz do shrink a thousandfold; NumPy's header is checked against the size there.
    if item.file_size > _MAX_FILE or (swells and path.suffix != ".npz"):
        raise InputError(
            f"{path}: {name} would unpack from {item.compress_size} to {item.file_size} bytes,"
            " a zip bomb; do not use it"
        )


def is_unsafe_name(name: str) -> bool:
    """Whether a name in an archive is absolute or leads out of it."""
    plain = _with_slashes(name)
    return plain.startswith("/") or ":" in plain[:2] or ".." in PurePosixPath(plain).parts


@lru_cache(maxsize=8)
def _zip_handle(path: Path, changed: int, process: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    # `changed` and `process` are in the key: a rewritten file or a forked worker needs its own handle.
    return zipfile.ZipFile(path), {_with_slashes(item.filename): item for item in check_zip(path)}


def _with_slashes(name: str) -> str:
    r"""A name as the format wants it: some programs of Windows pack `class\0.png`."""
    return name.replace("\\", "/")


@lru_cache(maxsize=1)
def _tar_members(path: Path, changed: int) -> dict[str, bytes]:
    """The files of a tar archive, in one pass: seeking in a compressed stream starts over."""
    refuse_stand_in(path, read_start(path))
    members: dict[str, bytes] = {}
    left = _MAX_TAR
    try:
        with tarfile.open(path) as archive:
            for item in archive:
                if is_unsafe_name(item.name) or not (item.isfile() or item.isdir()):
                    raise InputError(
                        f"{path} holds {item.name!r}, a link or a name that leads out; do not use this file"
                    )
                left -= item.size
                if left < 0:
                    raise InputError(f"{path} would unpack to more than {_MAX_TAR >> 30} GiB; unpack it by hand")
                stream = archive.extractfile(item) if item.isfile() else None
                if stream is not None:
                    members[item.name] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is not a whole tar archive ({error}); fetch it again") from error
    except OSError as error:
        raise unreadable(path, error) from error
    return members


def gunzip(content: bytes, label: str, limit: int = 2**30) -> bytes:
    """What is inside gzip content, at most `limit` bytes."""
    try:
        inflater = zlib.decompressobj(wbits=31)
        out = inflater.decompress(content, limit)
    except zlib.error as error:
        raise InputError(f"{label} is not a gzip file ({error}); fetch it again") from error
    if inflater.unconsumed_tail:
        raise InputError(f"{label} would unpack to more than {limit >> 20} MiB; do not use this file")
    if not inflater.eof:
        raise InputError(f"{label} is cut off inside its gzip stream; fetch it again")
    return out


def md5_of(path: Path) -> str:
    """The hexadecimal MD5 of a file, as the official pages list it."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def listing_hash(sizes: dict[str, int]) -> str:
    """A SHA-256 over names and sizes."""
    lines = "".join(f"{name}\0{size}\n" for name, size in sorted(sizes.items()))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
