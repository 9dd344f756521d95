"""The screen: lines with a prefix, ``12:00:01 web.1  | ``, added by one replace per chunk."""

from __future__ import annotations

from procman.output.outlet import LARGE_CHUNK
from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from procman.output.outlet import Outlet
    from procman.output.screen.footer import Footer
    from procman.output.sinks.label import Label, Labels
    from procman.output.stamp import Stamp

SYSTEM = "system"
MARK = "…".encode()  # ends an unfinished line that was interrupted; it is shown again when it is complete
IN_ASCII = {ord("…"): "...", ord("→"): "->", ord("—"): "-"}  # all characters of our own messages beyond ASCII
MAX_HELD = 4096  # bytes of an unfinished line that a footer gets: no terminal shows more in one row
QUIET_TIME = 0.1  # seconds without output before an unfinished line is shown where it cannot be taken back


class Prefix(Sink):
    """The screen: a terminal, a pipe or a file.

    The ``footer`` of a terminal shows unfinished lines, and removes them when the rest arrives. In a pipe an unfinished
    line is shown only while there is no other output (a full pipe does not count as quiet). It continues in place
    unless another line interrupts it; then it is ended with ``…`` and shown again when it is complete. A file gets only
    whole lines.
    """

    __slots__ = (
        "_changes_lines",
        "_footer",
        "_inline",
        "_labels",
        "_mark",
        "_marker",
        "_marks",
        "_out",
        "_outlet",
        "_shown",
        "_stamp",
        "_transforms",
        "_unfinished",
        "_unicode",
        "wants_colors",
    )

    def __init__(
        self,
        outlet: Outlet,
        labels: Labels,
        stamp: Stamp,
        footer: Footer | None = None,
        transforms: Sequence[Callable[[bytes], bytes]] = (),
        *,
        wants_colors: bool = True,
        marks: bool = True,
        unicode: bool = True,
    ) -> None:
        """``transforms`` change whole lines. ``wants_colors``: see Sink. ``marks``: whether highlights are shown.
        ``unicode``: whether our own messages may hold more than ASCII."""
        self.wants_colors = wants_colors
        self._outlet = outlet
        self._out: Outlet | Footer = footer or outlet
        self._labels = labels
        self._stamp = stamp
        self._footer = footer
        self._inline = footer is None and outlet.kind in ("pipe", "socket", "terminal")
        self._transforms = tuple(transforms)
        self._changes_lines = bool(transforms)  # lines are changed before they are shown
        self._marks = marks
        self._unicode = unicode
        self._mark = MARK if unicode else b"..."
        self._marker: Callable[[bytes], bytes] | None = None
        self._unfinished = False  # whether an unfinished line is on the screen
        self._shown: tuple[str, str, bytes] = ("", "", b"")  # name, stream and text of that line

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Show whole lines. One replace puts the prefix before each line except the first."""
        label = self._labels.get(name) or self._labels.add(name)
        if label.hidden:
            label.lines += lines.count(b"\n")
            return
        stamp = self._stamp.text()
        if label.stamp is not stamp:
            label.renew(stamp)
        if self._changes_lines:
            lines = self._changed(lines)
        if self._unfinished and self._continues(name, stream, lines):
            self._finish(label, lines)
        else:
            self._put(label, lines)

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        """Show whole lines without copying them together. All of ``chunk`` gets prefixes, then its rest is cut off."""
        label = self._labels.get(name) or self._labels.add(name)
        if self._changes_lines or self._unfinished or label.hidden or not label.cut:
            super().publish_parts(name, stream, before, chunk, end)
            return
        stamp = self._stamp.text()
        if label.stamp is not stamp:
            label.renew(stamp)
        body = chunk.replace(b"\n", label.glue)
        label.lines += (len(body) - len(chunk)) // label.cut
        self._out.put(label.head + before, memoryview(body)[: end - len(chunk) - label.cut])

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        """Show an unfinished line. Return True to be offered it again, if it cannot be shown yet."""
        label = self._labels.get(name) or self._labels.add(name)
        if label.hidden or (self._footer is None and not (self._inline and tail)):
            return False
        if self._changes_lines and tail:
            tail = self._changed(tail + b"\n")[:-1]
        if self._footer is not None:
            self._hold(self._footer, label, (name, stream), tail)
            return False
        return not self._show_inline(label, name, stream, tail)

    def announce(self, text: str) -> None:
        """Show one or more lines of ``system``."""
        if not self._unicode:
            text = text.translate(IN_ASCII)
        lines = self._labels.dimmed(text).encode("utf-8", "surrogateescape") + b"\n"
        self.publish(SYSTEM, SYSTEM, lines)

    def child_started(self, name: str, pid: int) -> None:
        """Use the new child's pid in the prefix."""
        self._labels.child_started(name, pid)

    def choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        """Hide these, or show only ``focus``; hide their unfinished lines as well."""
        self._labels.choose(muted, focus)
        if self._footer is not None:
            for key in self._footer.held:
                if self._labels.is_hidden(key[0]):
                    self._unfinished = self._footer.release(key)

    def hides(self, name: str) -> bool:
        """Whether this instance is hidden."""
        return self._labels.is_hidden(name)

    def lend(self, name: str) -> None:
        """Leave out the lines of the instance that has the terminal."""
        self._labels.lend(name)
        if self._footer is not None:
            self._footer.release((name, "stdout"))

    def use_footer(self, footer: Footer) -> None:
        """Use another footer, which has taken over the rows of the first one."""
        self._footer = self._out = footer

    def highlight(self, pattern: str) -> None:
        """Mark what matches. Raises UsageError if the pattern is invalid."""
        self._marker = None
        if pattern:
            from procman.output.sinks.transforms import highlighter

            marker = highlighter(pattern)
            self._marker = marker if self._marks else None
        self._changes_lines = bool(self._transforms) or self._marker is not None

    def close(self) -> None:
        """End an unfinished line with a newline."""
        if self._unfinished and self._footer is None:
            self._interrupt()

    def line_count(self, name: str) -> int:
        """Return how many lines an instance has published, shown or not."""
        label = self._labels.get(name)
        return label.lines if label else 0

    def _changed(self, lines: bytes) -> bytes:
        """Return whole lines as they are shown. A pattern that takes too long is given up."""
        for transform in self._transforms:
            lines = transform(lines)
        if self._marker is None:
            return lines
        try:
            return self._marker(lines)
        except TimeoutError:
            self.highlight("")
            self.announce("the --highlight pattern is too slow; highlighting is off")
            return lines

    def _put(self, label: Label, lines: bytes) -> None:
        if not label.cut:
            label.lines += lines.count(b"\n")
            self._out.put(lines)
            return
        body = lines.replace(b"\n", label.glue)
        label.lines += (len(body) - len(lines)) // label.cut  # counting newlines would be a second, slower pass
        if len(body) < LARGE_CHUNK:
            self._out.put(label.head + body[: -label.cut])
        else:
            self._out.put(label.head, memoryview(body)[: -label.cut])

    def _continues(self, name: str, stream: str, lines: bytes) -> bool:
        """Take the unfinished line away. Return whether these lines continue it in place on the screen."""
        if self._footer is not None:
            self._unfinished = self._footer.release((name, stream))
            return False
        shown_name, shown_stream, shown = self._shown
        if name == shown_name and stream == shown_stream and lines.startswith(shown):
            return True
        self._interrupt()
        return False

    def _finish(self, label: Label, lines: bytes) -> None:
        """Show the rest of a line that is already on the screen, and the lines after it."""
        end = lines.index(b"\n") + 1
        self._unfinished = False
        label.lines += 1
        self._out.put(lines[len(self._shown[2]) : end])
        if end < len(lines):
            self._put(label, lines[end:])

    def _hold(self, footer: Footer, label: Label, key: tuple[str, str], tail: bytes) -> None:
        if not tail.strip() or (27 in tail and _is_blank(tail)):  # a cursor shown again, an erased spinner
            self._unfinished = footer.release(key)
            return
        label.renew(self._stamp.text())
        self._unfinished = True
        from procman.output.sanitize.sanitizer import whole_part

        footer.hold(key, label.head + whole_part(tail[:MAX_HELD]) + self._mark)

    def _show_inline(self, label: Label, name: str, stream: str, tail: bytes) -> bool:
        """Show or continue an unfinished line. Return False if another line has its place, or if there is output."""
        if self._unfinished:
            shown_name, shown_stream, shown = self._shown
            if (name, stream) != (shown_name, shown_stream) or not tail.startswith(shown):
                return False
            self._out.put(tail[len(shown) :])
        else:
            latest = self._stamp.now
            stamp = self._stamp.text()
            if self._stamp.now - latest < QUIET_TIME or self._outlet.blocked:
                self._stamp.now = latest  # an offer is not output
                return False
            if label.stamp is not stamp:
                label.renew(stamp)
            self._out.put(label.head + tail)
            self._unfinished = True
        self._shown = (name, stream, tail)
        return True

    def _interrupt(self) -> None:
        self._out.put(self._mark + b"\n")
        self._unfinished = False


def _is_blank(tail: bytes) -> bool:
    from procman.output.sanitize.escapes import is_blank

    return is_blank(tail)
