"""Does: says something on stderr, without waiting for whoever does not read it."""

from __future__ import annotations

from procman.output.outlet import Outlet, complaint


def write_stderr(text: str) -> None:
    """Write `text` to stderr as far as it takes it at once; a stuck reader must not hold us, and may be ours too."""
    outlet = Outlet(2)
    outlet.put(text.encode())
    outlet.close(0.0)


def report_loss(outlet: Outlet, unread: int) -> None:
    """Say how many bytes of output were lost, if any were: in `outlet`, or `unread` ones that never got there."""
    if outlet.error:
        write_stderr(f"procman: {complaint(outlet)}\n")
    elif lost := outlet.dropped + unread:
        write_stderr(f"procman: {lost} bytes of output were not read by anybody and are lost\n")
