"""The fan-out of all output: each stream is sanitized once, then given to every sink."""

from __future__ import annotations

from procman.output.palette import Palette
from procman.output.sink import Uncolored
from procman.output.sinks.history import History

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from procman.output.sanitize.sanitizer import Sanitizer
    from procman.output.screen.footer import Footer
    from procman.output.screen.passthrough import Passthrough
    from procman.output.sink import Sink

DEFAULT_COLUMNS = 80  # of a screen that is not a terminal
DEFAULT_PREFIX_WIDTH = 20  # columns


class Hub:
    """All output of a session passes through here, as bytes: there is no object, decoding or call per line.

    ``screen`` is the sink on stdout. ``footer`` holds the bottom rows of a terminal, or is None.
    """

    __slots__ = (
        "_footer",
        "_readers",
        "_sanitizers",
        "_sinks",
        "_unseen",
        "history",
        "painting",
        "palette",
        "passthrough",
        "prefix_width",
        "raw",
        "screen",
        "taps",
    )

    def __init__(
        self,
        screen: Sink,
        *,
        raw: bool = False,
        footer: Footer | None = None,
        passthrough: Passthrough | None = None,
        palette: Palette | None = None,
        history: History | None = None,
        prefix_width: int = DEFAULT_PREFIX_WIDTH,
    ) -> None:
        self.screen = screen
        self.history = history or History()
        self.palette = palette or Palette(False)
        self.raw = raw  # bytes pass as they are; callers then use LineBuffer(fold=False)
        self.prefix_width = prefix_width  # columns
        self.taps: dict[str, Callable[[bytes], None]] = {}  # by instance: gets its bytes before a line is complete
        self.painting: set[tuple[str, str]] = set()  # streams with rows held back because they may be overwritten
        self._unseen: set[str] = set()  # instances whose unfinished lines the screen hides
        self._footer = footer
        self.passthrough = passthrough  # the footer, if it can lend the terminal to an instance
        self._sinks: tuple[Sink, ...] = ()
        self._readers: tuple[Sink, ...] = ()  # of text: the sinks; those that want no colors are behind an Uncolored
        self._connect((screen, self.history))
        self._sanitizers: dict[tuple[str, str], Sanitizer] = {}

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Show whole lines of an instance. If the last newline is missing, the stream has ended there."""
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
        for sink in self._readers:
            sink.publish(name, stream, lines)

    def look_ahead(self, name: str, stream: str, tail: bytes) -> None:
        """Give the unfinished line that follows the lines published next, because its cursor moves up to them."""
        if not self.raw:
            self._sanitizer(name, stream).look_ahead(tail)

    def is_plain(self, name: str, stream: str, before: bytes, chunk: bytes) -> bool:
        """Whether these bytes can be shown as they are, so that their lines need not be copied together."""
        return self.raw or self._sanitizer(name, stream).is_plain(before, chunk)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Show whole lines that are plain: ``before``, then ``chunk`` up to ``end``."""
        for sink in self._readers:
            sink.publish_parts(name, stream, before, chunk, end)

    def release(self, name: str, stream: str) -> None:
        """Show the rows held back of a stream: it has ended, or has stopped overwriting them for now."""
        self.painting.discard((name, stream))
        self._show(name, stream, b"" if self.raw else self._sanitizer(name, stream).rest())
        if self._footer is not None:
            for sink in self._readers:
                sink.partial(name, stream, b"")  # the footer may show one of these rows

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Show an unfinished line, such as a prompt; the whole line is still published when it ends.

        Without a footer a shown line cannot be taken back. So a line that may still be overwritten is not shown there,
        and rows held back are shown before it. Return True if it cannot be shown yet because other lines are moving.
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
        for sink in self._readers:
            again = sink.partial(name, stream, shown) or again
        if shown and self._footer is not None and self.screen.hides(name):
            self._unseen.add(name)
        return again

    def _show(self, name: str, stream: str, lines: bytes) -> None:
        if lines:
            for sink in self._readers:
                sink.publish(name, stream, lines)

    def announce(self, text: str) -> None:
        """Show one line of ``system``. It is sanitized like any output, because it may quote a child."""
        if not text.isprintable():
            text = _sanitized(text)
        for sink in self._readers:
            sink.announce(text)

    def child_started(self, name: str, pid: int) -> None:
        """Note that an instance has a new child: colors that the last one left on are forgotten."""
        for stream in ("stdout", "stderr"):
            self._sanitizers.pop((name, stream), None)
        for sink in self._sinks:
            sink.child_started(name, pid)

    def record(self, record: Mapping[str, object]) -> None:
        """Give an event to the programs that read us (``--format json``)."""
        for sink in self._sinks:
            sink.record(record)

    def add(self, sink: Sink) -> None:
        """Give one more sink everything from now on."""
        self._connect((*self._sinks, sink))

    def remove(self, sink: Sink) -> None:
        """Disconnect a sink without closing it."""
        self._connect(tuple(other for other in self._sinks if other is not sink))

    def _connect(self, sinks: tuple[Sink, ...]) -> None:
        self._sinks = sinks
        plain = tuple(sink for sink in sinks if not sink.wants_colors)
        colored = tuple(sink for sink in sinks if sink.wants_colors)
        self._readers = (*colored, Uncolored(plain)) if plain else colored

    def reopen(self) -> None:
        """Reopen log files (SIGUSR2) after a rotation has moved them away."""
        for sink in self._sinks:
            sink.reopen()

    def close(self) -> None:
        """Close every sink. What they have written may still be in the outlet."""
        for sink in self._sinks:
            sink.close()

    def last_lines(self, name: str, count: int = 20) -> list[bytes]:
        """Return the latest lines of an instance, oldest first, without their newlines."""
        return self.history.last(name, count)

    def line_count(self, name: str) -> int:
        """Return how many lines an instance has published so far, shown or not."""
        return self.screen.line_count(name)

    @property
    def message_columns(self) -> int:
        """The columns beside the prefix, for a line of ``system``."""
        return (self._footer.columns if self._footer is not None else DEFAULT_COLUMNS) - self.prefix_width

    # What the screen shows -------------------------------------------------------------------------------------------

    def hide(self, names: Iterable[str]) -> None:
        """Hide these instances or process types instead of those named before. Names that the settings hide are shown
        instead. Other sinks get the lines of all of them."""
        self._choose(names, ())

    def show_only(self, names: Iterable[str]) -> None:
        """Show only these instances or process types; without names, follow the settings."""
        self._choose((), names)

    def _choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        before = self.waiting_lines
        self.screen.choose(muted, focus)
        self._unseen.update(name for name in before if self.screen.hides(name))

    def hides(self, name: str) -> bool:
        """Whether the screen hides this instance."""
        return self.screen.hides(name)

    def lend(self, name: str) -> None:
        """Leave this instance's lines to the passthrough; with an empty name, show all lines."""
        self.screen.lend(name)

    def highlight(self, pattern: str) -> None:
        """Mark what matches from now on; an empty pattern marks nothing. Raises UsageError if it is invalid."""
        self.screen.highlight(pattern)

    # The bottom of a terminal; without a footer all of this does nothing ---------------------------------------------

    @property
    def has_footer(self) -> bool:
        """Whether there is a place for a status line."""
        return self._footer is not None

    @property
    def waiting_lines(self) -> tuple[str, ...]:
        """The instances with an unfinished line that stands still, shown or hidden."""
        if self._footer is None:
            return ()
        if self._unseen:
            self._unseen = {name for name in self._unseen if self.history.unfinished(name)}
            return tuple(dict.fromkeys((*self._footer.waiting, *self._unseen)))
        return self._footer.waiting

    def become_lender(self) -> Passthrough:
        """Return the footer as one that can lend the terminal to an instance; the first call replaces it."""
        if self.passthrough is None:
            from procman.output.screen.passthrough import Passthrough

            assert self._footer is not None
            self._footer = self.passthrough = Passthrough.in_place_of(self._footer)
            self.screen.use_footer(self._footer)
        return self.passthrough

    def show_status(self, status: Callable[[int], bytes] | None) -> None:
        """Show a status line, given as a function of the columns. Call this again whenever the line changes."""
        if self._footer is not None:
            self._footer.show(status)

    def bracket_pastes(self, on: bool) -> None:
        """Switch bracketed paste, which tells pasted text from typed text, on or off."""
        if self._footer is not None:
            self._footer.bracket_pastes(on)

    def next_deadline(self) -> float | None:
        """Return when ``outlet.flush`` is due even if nothing is published (monotonic seconds), or None."""
        return self._footer.next_repaint if self._footer is not None else None

    def resized(self) -> None:
        """Adapt to a new size of the terminal."""
        if self._footer is not None:
            self._footer.resized()

    def pause(self) -> None:
        """Leave the terminal to another program (before we are stopped); flush the outlet afterwards."""
        if self._footer is not None:
            self._footer.pause()

    def resume(self) -> None:
        """Use the terminal again after ``pause``."""
        if self._footer is not None:
            self._footer.resume()

    def _sanitizer(self, name: str, stream: str) -> Sanitizer:
        key = (name, stream)
        found = self._sanitizers.get(key)
        if found is None:
            from procman.output.sanitize.sanitizer import Sanitizer  # not needed before the first child

            found = self._sanitizers[key] = Sanitizer()
        return found


def _sanitized(text: str) -> str:
    from procman.output.sanitize.sanitizer import Sanitizer, guarded

    lines = Sanitizer().clean(text.encode("utf-8", "surrogateescape") + b"\n")
    return guarded(lines).decode("utf-8", "surrogateescape")[:-1]
