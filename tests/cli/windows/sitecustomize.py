"""Makes a Python of Linux lack what a Python of Windows lacks: put this folder into PYTHONPATH.

It is not Windows: paths, files and processes remain those of Linux. It shows what a command imports and calls.
"""

from __future__ import annotations

import importlib
import importlib.abc
import os
import select
import signal
import sys

# What decides by the platform at its import, and what uses the calls that go away below.
for _name in (
    *("subprocess", "tempfile", "pathlib", "shutil", "socket", "selectors", "tomllib", "json", "importlib.metadata"),
    *("click", "click.shell_completion", "colorama", "psutil", "dotenv", "dotenv.variables", "yaml"),
):
    try:
        __import__(_name)
    except ImportError:
        pass

MODULES = {"fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "readline", "syslog", "crypt", "spwd"}
SIGNALS = {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"}
CALLS = """
    chown chroot confstr ctermid environb environb fchdir fchmod fchown fork forkpty fpathconf get_blocking getegid
    geteuid getgid getgrouplist getgroups getloadavg getpgid getpgrp getpriority getresgid getresuid getsid getuid
    getxattr initgroups killpg lchown listxattr lockf login_tty major memfd_create mkfifo mknod nice openpty pathconf
    pidfd_open pipe2 posix_fadvise posix_spawn posix_spawnp pread preadv pwrite pwritev readv sched_yield sendfile
    set_blocking setegid seteuid setgid setgroups setpgid setpriority setresgid setresuid setsid setuid setxattr splice
    statvfs sysconf tcgetpgrp tcsetpgrp ttyname uname wait wait3 wait4 waitid writev
    O_NONBLOCK O_CLOEXEC O_NOFOLLOW O_DIRECTORY O_NOCTTY O_SYNC O_PATH WNOHANG WUNTRACED WNOWAIT P_PID P_ALL P_PGID
    SCHED_OTHER RTLD_NOW
"""
WITH_FOLDER = "open stat lstat mkdir rmdir unlink remove rename replace link symlink readlink access chmod utime"


class _Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raise for a module that Windows does not have; leave every other one to the other finders."""
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} (Windows)", name=name)


def _without_dir_fd(call: object) -> object:
    def on_windows(*arguments: object, **named: object) -> object:
        if any(named.get(key) is not None for key in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            raise NotImplementedError("dir_fd unavailable on this platform")
        if call is _open and arguments and isinstance(arguments[0], str) and os.path.isdir(arguments[0]):
            raise PermissionError(13, "Permission denied", arguments[0])
        return call(*arguments, **named)  # type: ignore[operator]

    return on_windows


_open = os.open
for _name in CALLS.split():
    if hasattr(os, _name):
        delattr(os, _name)
for _name in WITH_FOLDER.split():
    setattr(os, _name, _without_dir_fd(getattr(os, _name)))
os.supports_dir_fd = set()
os.supports_fd = set()
for _module in (signal, importlib.import_module("_signal")):
    for _name in dir(_module):
        if _name.startswith(("SIG", "ITIMER_", "pthread_", "sig")) and _name not in SIGNALS | {"signal", "sigpending"}:
            delattr(_module, _name)
    for _name in ("setitimer", "getitimer", "alarm", "pause"):
        if hasattr(_module, _name):
            delattr(_module, _name)
for _name in ("poll", "epoll"):
    delattr(select, _name)
for _module in (sys.modules["_socket"], sys.modules["socket"]):
    delattr(_module, "AF_UNIX")
for _name in MODULES & set(sys.modules):
    del sys.modules[_name]
sys.meta_path.insert(0, _Missing())
sys.platform = "win32"
