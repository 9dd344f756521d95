"""The exit code and the message of every exception, and standard streams on which no message can fail."""

from __future__ import annotations

import codecs
import os
import sys

from procman.cli.interrupts import Interrupt
from procman.errors import EXIT_INTERRUPTED, EXIT_OUTPUT_CLOSED, EXIT_SOFTWARE, ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO


def safely(work: Callable[[], int]) -> int:
    """Call ``work`` and return its exit code, or that of its exception, whose message goes to stderr."""
    try:
        _prepare_streams()
        code = work()
        _flush()
        return code
    except ProcmanError as error:
        return report(error)
    except KeyboardInterrupt:
        Interrupt.seen = True
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return EXIT_OUTPUT_CLOSED
    except MemoryError:
        return report(ProcmanError("not enough memory", "ulimit -v shows the limit, if there is one"))
    except Exception as error:
        refusal = _system_refusal(error)
        return report(refusal) if refusal else _report_bug(error)


class _VisibleStream:
    """stdout or stderr with every control character made visible, so that a terminal does not act on any.

    Most messages quote foreign text: folder names, lines of files, words of the command line. Newlines are procman's
    own. Bytes that have to arrive unchanged go to ``buffer``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def unguarded(self) -> TextIO:
        """The stream itself, for text whose foreign parts have been made visible already, and that has colors."""
        return self._stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not text.replace("\n", "").isprintable():
            text = "\n".join(map(visible, text.split("\n")))
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


def visible(text: str) -> str:
    """Return the text with an escape for each character that cannot be printed, see core/text/printable.py."""
    if (
        text.isprintable()
    ):  # nearly always; a message about missing descriptors must not import anything, since that takes one
        return text
    from procman.core.text import printable

    return printable.visible(text)


def _prepare_streams() -> None:
    """Make sure that no write fails because a stream is closed, or because it or its terminal is not UTF-8."""
    codecs.register_error("procman", _replacement)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (open until the process ends)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="ascii" if _is_ascii(stream) else None, errors="procman")
            if not isinstance(stream, _VisibleStream):
                setattr(sys, name, _VisibleStream(stream))


def _is_ascii(stream: TextIO) -> bool:
    """Return whether the locale is not UTF-8, although Python has chosen UTF-8 for it (PEP 540).

    A pipe gets UTF-8 then, unless the locale has another encoding; then program.py has chosen UTF-8.
    """
    if stream.encoding != "utf-8" or not (stream.isatty() or "utf8" in sys._xoptions):
        return False
    from procman.output.screen.statusline import speaks_unicode

    return not speaks_unicode(os.environ)


def _replacement(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that a stream cannot encode: procman's own by ASCII, all others by an escape."""
    assert isinstance(error, UnicodeEncodeError)
    from procman.output.sinks.prefix import IN_ASCII

    characters = error.object[error.start : error.end].translate(IN_ASCII)
    return characters.encode("ascii", "backslashreplace").decode(), error.end


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> ProcmanError:
    _discard_output()
    return ProcmanError(f"cannot write to standard output: {error.strerror}")


def _discard_output() -> None:
    """Keep the interpreter from writing, and failing, once more at its end what is still in the buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def report(error: ProcmanError) -> int:
    """Show the error on stderr; return its exit code."""
    _write_message(error.message, error.hint)
    return error.exit_code


def _write_message(message: str, hint: str) -> None:
    red, cyan, reset = ("\x1b[1;31m", "\x1b[36m", "\x1b[0m") if _is_colored() else ("", "", "")
    hinted = f"{cyan}hint:{reset} {visible(hint)}\n" if hint else ""
    _write_stderr(f"{red}procman:{reset} {visible(message)}\n{hinted}")


def _is_colored() -> bool:
    """Return whether stderr gets colors. The settings are not known here, so search the command line for the flags."""
    try:
        from procman.output.palette import wants_color

        flags = {"--no-color": False, "--color=never": False, "--color": True, "--color=always": True}
        wish = next((flags[word] for word in sys.argv[1:] if word in flags), None)
        return wants_color(wish, os.environ, sys.stderr.isatty())
    except Exception:  # a lack of descriptors or memory, which is just what the message may be about
        return False


def _system_refusal(error: Exception) -> ProcmanError | None:
    """Return a message for a lack of system resources, or None for any other error, which is a bug in procman.

    Errors about files are handled where the files are read. An ImportError may be a lack of descriptors, too.
    """
    import errno

    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    if isinstance(error, OSError) and error.filename is None and error.errno in full:
        return _unwritable(error)  # when stdout is unbuffered, or click writes, `_flush` is not what fails
    for number, hint in (
        (errno.EMFILE, "ulimit -n shows the limit"),
        (errno.ENFILE, "the whole system has run out of file descriptors"),
        (errno.EAGAIN, "ulimit -u shows the limit"),
        (errno.ENOMEM, "ulimit -v shows the limit, if there is one"),
    ):
        if os.strerror(number) in str(error):
            return ProcmanError(f"cannot continue: {os.strerror(number).lower()}", hint)
    return None


def _report_bug(error: Exception) -> int:
    debug = os.environ.get("PROCMAN_DEBUG") == "1"
    if debug:
        import traceback

        _write_stderr("\n".join(map(visible, "".join(traceback.format_exception(error)).split("\n"))))
    how = "with the lines above" if debug else "with what PROCMAN_DEBUG=1 shows"
    what = f"{type(error).__name__}: {error}"
    _write_message(f"this is a bug in procman: {what}", f"please report it, {how}")
    return EXIT_SOFTWARE


def _write_stderr(text: str) -> None:
    try:
        getattr(sys.stderr, "unguarded", sys.stderr).write(text)
        sys.stderr.flush()
    except OSError:  # stderr is gone; the exit code remains
        return
