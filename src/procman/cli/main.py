"""Asks: the ``procman`` command; turns every outcome into an exit code."""

from __future__ import annotations

import codecs
import gc
import os
import sys

from procman import __version__
from procman.cli.options.reader import read
from procman.cli.options.table import ALIASES, ASKING
from procman.cli.program import end_by_interrupt, raise_interrupts
from procman.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_OUTPUT_CLOSED, EXIT_SOFTWARE, ProcmanError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from procman.cli.options.option import Invocation

FEW_COLLECTIONS = 10_000  # objects: the usual 700 looks for cycles a dozen times while we import, a tenth of the start


def main(argv: list[str] | None = None) -> int:
    """Runs one command; ``argv`` is without the program's name. Returns the exit code."""
    gc.set_threshold(FEW_COLLECTIONS)
    words = sys.argv[1:] if argv is None else argv
    return safely(lambda: _command(words))


def _command(words: list[str]) -> int:
    if sys.platform == "win32":
        raise ProcmanError("procman runs on Linux and macOS, not on Windows itself", "run it inside WSL")
    if words == ["--version"]:
        print(f"procman {__version__}")
        return EXIT_OK
    words = [ALIASES.get(words[0], words[0]), *words[1:]] if words else words
    invocation = None if "_PROCMAN_COMPLETE" in os.environ else read(words)
    if invocation is None:
        from procman.cli.options.click_app import parse

        invocation = parse(words)
    return EXIT_OK if invocation is None else _perform(invocation)


def _perform(invocation: Invocation) -> int:
    """Late imports: each command pays for what it uses."""
    take_interrupts = end_by_interrupt if invocation.command == "start" else raise_interrupts
    take_interrupts()
    _require_folder()
    if invocation.command == "completion":
        from procman.cli.options.completion import completion

        return completion(invocation.words[0])

    if invocation.command in ASKING:
        from procman.cli.control.connection import perform

        return perform(invocation)

    from procman.cli.options.precedence import settle, wants_guardian

    if invocation.command == "start":
        from procman.runtime.guardian.guardian import guarded

        # The guardian forks here, before config, environment and Procfile are read: it stays small, they are not its.
        return guarded(lambda: safely(lambda: _start(invocation)), wants_guardian(invocation))
    if invocation.command == "run":
        from procman.cli.commands.run import run

        return run(settle(invocation), invocation.words)

    if invocation.command == "prune":
        from procman.cli.commands.prune import prune

        return prune(settle(invocation))

    if invocation.command == "export":
        from procman.cli.commands.export import export

        return export(settle(invocation), invocation.words)

    from procman.cli.commands.check import check

    return check(settle(invocation))


def _require_folder() -> None:
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the current folder does not exist any more", "change to one that does") from None


def _start(invocation: Invocation) -> int:
    from procman.runtime.guardian import guardian
    from procman.runtime.guardian.early_signals import obey_alone

    if guardian.lifeline is not None:
        obey_alone(guardian.lifeline)

    from procman.cli.commands.start import start
    from procman.cli.options.precedence import settle

    return start(settle(invocation))


def safely(work: Callable[[], int]) -> int:
    """Run to the end, whatever happens: the exit code, with a sentence on stderr where there is something to say."""
    try:
        _speak_any_text()
        code = work()
        _flush()
        return code
    except ProcmanError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return EXIT_OUTPUT_CLOSED
    except MemoryError:
        return _tell(ProcmanError("there is not enough memory", "ulimit -v shows the limit, if there is one"))
    except Exception as error:
        refusal = _refusal(error)
        return _tell(refusal) if refusal else _tell_bug(error)


class _Shown:
    """stdout or stderr, on which all of a text can be seen: nothing that a terminal would act upon gets through.

    Names of folders, lines of files, words of a command line: strangers' text is in most of our sentences. Newlines are
    ours. Bytes that shall pass as they are go to the ``buffer``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not text.replace("\n", "").isprintable():
            text = "\n".join(map(_visible, text.split("\n")))
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


def _visible(text: str) -> str:
    if text.isprintable():  # nearly always; and where there is no descriptor to import by, that is said all the same
        return text
    from procman.core.text.printable import visible

    return visible(text)


def _speak_any_text() -> None:
    """Nothing fails because a stream, or the terminal behind it, has no UTF-8; a closed one takes what it is told."""
    codecs.register_error("procman", _in_its_letters)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (for as long as we live)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="ascii" if _is_ascii_terminal(stream) else None, errors="procman")
            if not isinstance(stream, _Shown):
                setattr(sys, name, _Shown(stream))


def _is_ascii_terminal(stream: TextIO) -> bool:
    """Whether the locale says so of a terminal for which Python has chosen UTF-8 all the same (PEP 540)."""
    if stream.encoding != "utf-8" or not stream.isatty():
        return False
    from procman.output.screen.statusline import speaks_unicode

    return not speaks_unicode(os.environ)


def _in_its_letters(error: UnicodeError) -> tuple[str, int]:
    """What stands for signs that a stream does not have: our own in ASCII, those of others escaped."""
    assert isinstance(error, UnicodeEncodeError)
    from procman.output.sinks.prefix import IN_ASCII

    signs = error.object[error.start : error.end].translate(IN_ASCII)
    return signs.encode("ascii", "backslashreplace").decode(), error.end


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> ProcmanError:
    _forget_output()
    return ProcmanError(f"standard output cannot be written: {error.strerror}")


def _forget_output() -> None:
    """What is still in the buffer must not complain again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _tell(error: ProcmanError) -> int:
    _say(f"procman: {_visible(error.message)}\n" + (f"hint: {_visible(error.hint)}\n" if error.hint else ""))
    return error.exit_code


def _refusal(error: Exception) -> ProcmanError | None:
    """What the system does not give us, in words; None for every other error, which is a bug of ours: what is wrong
    with files is met where they are read. A module that cannot be imported may be a descriptor that is not there."""
    import errno

    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    if isinstance(error, OSError) and error.filename is None and error.errno in full:
        return _unwritable(error)  # unbuffered, or by click, it is not `_flush` that fails
    for number, hint in (
        (errno.EMFILE, "ulimit -n shows the limit"),
        (errno.ENFILE, "the whole system has no descriptor left"),
        (errno.EAGAIN, "ulimit -u shows the limit"),
        (errno.ENOMEM, "ulimit -v shows the limit, if there is one"),
    ):
        if os.strerror(number) in str(error):
            return ProcmanError(f"cannot go on: {os.strerror(number).lower()}", hint)
    return None


def _tell_bug(error: Exception) -> int:
    debug = os.environ.get("PROCMAN_DEBUG") == "1"
    if debug:
        import traceback

        _say("".join(traceback.format_exception(error)))
    how = "with the lines above" if debug else "with what PROCMAN_DEBUG=1 shows"
    _say(f"procman: this is a bug in procman: {type(error).__name__}: {error}\nhint: please report it, {how}\n")
    return EXIT_SOFTWARE


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody can be told; the exit code remains
        return
