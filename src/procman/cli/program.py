"""The installed command: ``main``, between the first and the last instruction of the process."""

from __future__ import annotations

import os
import sys

from procman.cli.interrupts import end_by_interrupt, end_like_a_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from typing import NoReturn
else:  # what importlib.machinery imports; Python has both loaded
    from _frozen_importlib import ModuleSpec
    from _frozen_importlib_external import SourceFileLoader


def program() -> NoReturn:
    """Run ``main`` and end the process with its exit code.

    A Ctrl-C that ended a command ends the process, too. Output is flushed, and the kernel frees everything else.
    The interpreter's own cleanup would take 2 ms: a seventh of ``--version``, and a quarter of the time that a session
    takes to stop.
    """
    end_by_interrupt()
    _use_utf_8()
    _forget_coerced_locale()
    sys.meta_path.insert(0, OwnModules)
    from procman.cli.main import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # there is no reader left to report it to
    end_like_a_key()
    os._exit(code)


def _use_utf_8() -> None:
    """Start Python again in its UTF-8 mode, if the locale has another encoding.

    Procfiles and env files are UTF-8, and what they say reaches commands and variables unchanged. In another locale
    Python would encode it differently, or not at all. In a UTF-8 locale, and without any, this costs nothing.
    """
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().split(b"\0")[:-1]
    except OSError:
        words = []
    if len(words) != len(sys.orig_argv):
        words = [os.fsencode(word) for word in sys.orig_argv]
    try:
        os.execv(sys.executable, [words[0], b"-X", b"utf8", *words[1:]])
    except OSError:
        return


def _forget_coerced_locale() -> None:
    """Take back the LC_CTYPE that Python has set for itself where the locale is C (PEP 538). Children do not get it."""
    if os.environ.get("LC_CTYPE") not in ("C.UTF-8", "C.utf8", "UTF-8") or os.environ.get("LC_ALL"):
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            inherited = file.read().split(b"\0")
    except OSError:  # no /proc: it cannot be told from a choice of the user
        return
    before = next((entry[9:] for entry in inherited if entry.startswith(b"LC_CTYPE=")), None)
    if before is None:
        del os.environ["LC_CTYPE"]
    else:
        os.environ["LC_CTYPE"] = os.fsdecode(before)


class OwnModules:
    """Finds the modules of this package by their names.

    Python's own finder is made for folders of all kinds. It lists each of our rooms, tries it as a zip file, and looks
    for six kinds of files: 2 ms of a start. What is not a plain file (in a zip file, for example) is left to it.

    A room is found as a folder, since its ``__init__.py`` has nothing to execute: reading twenty of them takes 0.4 ms.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        """Return where a module is; None for one that another finder has to look for."""
        if not name.startswith("procman.") or not path:
            return None
        base = f"{path[0]}/{name.rpartition('.')[2]}"
        file = f"{base}.py"
        if os.access(file, os.F_OK):  # half the time of os.path.isfile, a hundred times
            spec = ModuleSpec(name, SourceFileLoader(name, file), origin=file)
            spec.has_location = True
            return spec
        if os.access(base, os.F_OK):
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [base]
            return spec
        return None
