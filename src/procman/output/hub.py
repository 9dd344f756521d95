"""Shows to many: one source, the line discipline once, then every sink."""

from __future__ import annotations

from procman.output.palette import Palette
from procman.output.sanitize.sanitizer import Sanitizer
from procman.output.sinks.history import History

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from procman.output.screen.footer import Footer
    from procman.output.screen.passthrough import Passthrough
    from procman.output.sink import Sink

COLUMNS = 80  # where there is no terminal to ask
PREFIX_WIDTH = 20  # columns: the usual prefix


class Hub:
    """Where all output meets. Bytes by the chunk; no object, no decoding, no call per line.

    ``screen`` is the sink on stdout; ``footer`` what stays below it on a terminal, if anything does.
    """

    __slots__ = (
        "_footer",
        "_sanitizers",
        "_sinks",
        "history",
        "painting",
        "palette",
        "prefix_width",
        "raw",
        "screen",
        "stage",
        "taps",
    )

    def __init__(
        self,
        screen: Sink,
        *,
        raw: bool = False,
        footer: Footer | None = None,
        stage: Passthrough | None = None,
        palette: Palette | None = None,
        history: History | None = None,
        prefix_width: int = PREFIX_WIDTH,
    ) -> None:
        self.screen = screen
        self.history = history or History()
        self.palette = palette or Palette(False)
        self.raw = raw  # bytes pass as they are; then LineBuffer(fold=False) belongs to it
        self.prefix_width = prefix_width  # columns
        self.taps: dict[str, Callable[[bytes], None]] = {}  # who hears an instance as it speaks, before any line ends
        self.painting: set[tuple[str, str]] = set()  # streams whose rows wait until they are not painted over any more
        self._footer = footer
        self.stage = stage  # the footer, if it can lend the terminal to an instance
        self._sinks: list[Sink] = [screen, self.history]
        self._sanitizers: dict[tuple[str, str], Sanitizer] = {}

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Show whole lines of an instance. Without a last newline it is what the stream ends with."""
        if not lines:
            return
        if self.raw:
            lines = lines if lines[-1] == 10 else lines + b"\n"
        else:
            sanitizer = self._sanitizer(name, stream)
            lines = sanitizer.clean(lines) if lines[-1] == 10 else sanitizer.last(lines)
            if sanitizer.holds:
                self.painting.add((name, stream))
            if not lines:
                return
        for sink in self._sinks:
            sink.publish(name, stream, lines)

    def foresee(self, name: str, stream: str, tail: bytes) -> None:
        """Say what is there already of the line behind those that are published next: it goes up to them."""
        if not self.raw:
            self._sanitizer(name, stream).foresee(tail)

    def is_plain(self, name: str, stream: str, before: bytes, chunk: bytes) -> bool:
        """Whether these bytes can be shown as they are, so that their lines need not be copied together."""
        return self.raw or self._sanitizer(name, stream).is_plain(before, chunk)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Show whole lines that are plain: ``before`` and then ``chunk`` up to ``end``."""
        for sink in self._sinks:
            sink.publish_parts(name, stream, before, chunk, end)

    def release(self, name: str, stream: str) -> None:
        """Show what was held back of a stream: it has ended, or nothing more is painted over for now."""
        self.painting.discard((name, stream))
        self._show(name, stream, b"" if self.raw else self._sanitizer(name, stream).rest())
        if self._footer is not None:
            for sink in self._sinks:
                sink.partial(name, stream, b"")  # a row that was seen there while it waited

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Show a line that has not ended (a prompt); the whole line is still to be published when it ends.

        Without a footer it could not be taken back, so what may still be written over is not shown there, and nothing
        that is held back can come between it and its end. True: others are speaking, so that it cannot be shown yet.
        """
        if self.raw:
            shown = tail
        else:
            sanitizer = self._sanitizer(name, stream)
            self._show(name, stream, sanitizer.blank_lines())
            shown = sanitizer.preview(tail)
        if self._footer is None:
            if shown != tail or (name, stream) in self.painting:
                return False
            self.release(name, stream)
        again = False
        for sink in self._sinks:
            again = sink.partial(name, stream, shown) or again
        return again

    def _show(self, name: str, stream: str, lines: bytes) -> None:
        if lines:
            for sink in self._sinks:
                sink.publish(name, stream, lines)

    def announce(self, text: str) -> None:
        """Show one line of ``system``; it may quote a child, so that it is no more trusted than one."""
        if not text.isprintable():
            text = _harmless(text)
        for sink in self._sinks:
            sink.announce(text)

    def began(self, name: str, pid: int) -> None:
        """Note that a new child speaks for ``name``: colors its predecessor left open are forgotten."""
        for stream in ("stdout", "stderr"):
            self._sanitizers.pop((name, stream), None)
        for sink in self._sinks:
            sink.began(name, pid)

    def record(self, record: Mapping[str, object]) -> None:
        """Give an event to the programs that read us (``--format json``)."""
        for sink in self._sinks:
            sink.record(record)

    def add(self, sink: Sink) -> None:
        """Let one more sink hear everything from now on."""
        self._sinks.append(sink)

    def remove(self, sink: Sink) -> None:
        """Forget a sink; it is not closed."""
        self._sinks.remove(sink)

    def reopen(self) -> None:
        """Open log files anew (SIGUSR2): whoever rotates them has moved the old ones away."""
        for sink in self._sinks:
            sink.reopen()

    def close(self) -> None:
        """Say goodbye to every sink; what they still owe is in the outlet."""
        for sink in self._sinks:
            sink.close()

    def last_lines(self, name: str, count: int = 20) -> list[bytes]:
        """The latest lines of an instance, oldest first, without their newlines."""
        return self.history.last(name, count)

    def line_count(self, name: str) -> int:
        """How many lines an instance has published so far, shown or not."""
        return self.screen.line_count(name)

    @property
    def room(self) -> int:
        """The columns that a line of ``system`` has for itself."""
        return (self._footer.columns if self._footer is not None else COLUMNS) - self.prefix_width

    # What the screen shows -------------------------------------------------------------------------------------------

    def hide(self, names: Iterable[str]) -> None:
        """Hide these instances or process types too, instead of those named before; and show those of them that the
        settings hide. Other sinks hear them still."""
        self.screen.choose(names, ())

    def show_only(self, names: Iterable[str]) -> None:
        """Show nothing but these instances or process types; none: as the settings say."""
        self.screen.choose((), names)

    def hides(self, name: str) -> bool:
        """Whether the screen does not show this instance."""
        return self.screen.hides(name)

    def lend(self, name: str) -> None:
        """Leave the showing of this instance's lines to the stage; empty: show everybody's."""
        self.screen.lend(name)

    def highlight(self, pattern: str) -> None:
        """Mark what matches from now on; an empty pattern marks nothing. Raises UsageError for one that is none."""
        self.screen.highlight(pattern)

    # The bottom of a terminal; nothing of it does anything elsewhere ------------------------------------------------

    @property
    def has_footer(self) -> bool:
        """Whether there is a place for a status line."""
        return self._footer is not None

    def show_status(self, status: Callable[[int], bytes] | None) -> None:
        """Show a status line, given as a function of the columns; tell again whenever it would read differently."""
        if self._footer is not None:
            self._footer.show(status)

    def bracket_pastes(self, on: bool) -> None:
        """Have what is pasted told from what is typed, or no longer."""
        if self._footer is not None:
            self._footer.bracket_pastes(on)

    def next_deadline(self) -> float | None:
        """When ``outlet.flush`` wants to be called although nothing was published (monotonic seconds), or None."""
        return self._footer.next_repaint if self._footer is not None else None

    def resized(self) -> None:
        """The terminal has another size."""
        if self._footer is not None:
            self._footer.resized()

    def pause(self) -> None:
        """Leave the terminal to somebody else (before we are stopped); flush behind it."""
        if self._footer is not None:
            self._footer.pause()

    def resume(self) -> None:
        """The terminal is ours again."""
        if self._footer is not None:
            self._footer.resume()

    def _sanitizer(self, name: str, stream: str) -> Sanitizer:
        key = (name, stream)
        found = self._sanitizers.get(key)
        if found is None:
            found = self._sanitizers[key] = Sanitizer()
        return found


def _harmless(text: str) -> str:
    lines = Sanitizer().clean(text.encode("utf-8", "surrogateescape") + b"\n")
    return lines.decode("utf-8", "surrogateescape")[:-1]
