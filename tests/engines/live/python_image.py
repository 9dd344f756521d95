"""An image with the Python that runs the tests, since no registry can be reached here."""

from __future__ import annotations

import io
import os
import re
import sys
import sysconfig
import tarfile
from pathlib import Path

from export.engines.docker import BUSYBOX
from export.rig import attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "ensurepip"}
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def python_image(files: Path) -> bytes:
    """Return a tar file of a root with `sh`, `python`, and the Python files of a folder in /app."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for program in attempt(BUSYBOX, "--list").stdout.split():
            _link(tar, f"bin/{program}", "/bin/busybox")
        tar.add(BUSYBOX, "bin/busybox")
        interpreter = os.path.realpath(sys.executable)
        for path in {interpreter, *_library(), *_needed_by(interpreter, *_extensions())}:
            tar.add(path, path.lstrip("/"))
        _link(tar, "usr/local/bin/python", interpreter)
        for file in sorted(files.glob("*.py")):
            tar.add(file, f"app/{file.name}")
    return buffer.getvalue()


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    if name != "bin/busybox":
        tar.addfile(info)


def _library() -> Iterator[str]:
    root = Path(sysconfig.get_path("stdlib"))
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _LEFT_OUT]
        yield from (os.path.join(folder, file) for file in files if file.endswith((".py", ".so")))


def _extensions() -> list[str]:
    return [path for path in _library() if path.endswith(".so")]


def _needed_by(*programs: str) -> set[str]:
    found = attempt("ldd", *programs).stdout
    return {path for path in _LIBRARY.findall(found) if os.path.isfile(path)}
