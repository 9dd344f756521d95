"""The Python that runs the tests, for images and other roots, since no registry can be reached here."""

from __future__ import annotations

import io
import os
import re
import shutil
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


def put_python(root: Path) -> None:
    """Put the Python that runs the tests below /opt of another root, and ``python`` into its PATH."""
    interpreter = os.path.realpath(sys.executable)
    needed = _needed_by(interpreter, *_extensions())
    for path in {interpreter, *_library(), *needed}:
        target = root / "opt/python" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    loader = next(path for path in needed if "/ld-" in path)
    folders = ":".join(sorted({f"/opt/python{os.path.dirname(path)}" for path in needed}))
    command = f"/opt/python{loader} --library-path {folders} /opt/python{interpreter}"
    script = root / "usr/local/bin/python"
    script.write_text(f'#!/bin/sh\nPYTHONHOME=/opt/python{sys.base_prefix} exec {command} "$@"\n')
    script.chmod(0o755)


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
