"""Decides how long the listening sockets of instances stay open, and starts instances at their first connection.

A socket stays open as long as something will accept its connections: over restarts, crashes and short backoffs. What
has failed, was stopped or waits longer than it may lets go of its sockets, so that clients are refused and do not hang.
"""

from __future__ import annotations

import time
from functools import partial

from procman.core.lifecycle.transitions import Action, Event, State
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.listen import Listen
    from procman.output.hub import Hub
    from procman.runtime.processes.kept_sockets import KeptSockets
    from procman.runtime.system.poller import Poller

SHORT_LIFE = 1.0  # seconds; what ends sooner has perhaps not accepted the connection that started it
MOST_SHORT_LIVES = 3  # in a row, after which the next start waits
PAUSE = 1.0  # seconds


class SocketKeeper(QuietComponent):
    """Watches over the kept sockets of all instances."""

    def __init__(self, supervisor: Supervisor, hub: Hub, sockets: KeptSockets) -> None:
        self._supervisor = supervisor
        self._hub = hub
        self._sockets = sockets
        sockets.on_lost = self._on_lost
        self._poller: Poller | None = None
        self._addresses: dict[str, tuple[str, ...]] = {}  # by instance: those of its latest life
        self._armed: dict[str, int] = {}  # by address: the descriptor that waits for the first connection
        self._short_lives: dict[str, int] = {}  # by instance: in a row
        self._later: dict[str, float] = {}  # by instance: when to wait for a connection again

    def open(self, poller: Poller) -> None:
        """Wait for the first connections."""
        self._poller = poller
        self._supervisor.awaited_by.append(self._is_awaiting)
        for instance in self._supervisor.instances.values():
            if self._is_listener(instance):
                self._arm(instance)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Close what the instance does not need any more, and wait for its next first connection."""
        listen = instance.plan.listen
        if action == Action.ANNOUNCE_STARTED:
            addresses = () if listen is None else listen.addresses
            self._let_go([one for one in self._addresses.pop(instance.name, ()) if one not in addresses])
            if listen is not None:
                self._addresses[instance.name] = addresses
                self._disarm(addresses)
        elif listen is not None and not self._keeps(instance):
            self._let_go(listen.addresses)
        elif action == Action.ANNOUNCE_EXITED and self._is_listener(instance) and not self._is_served(listen):
            self._listen_again(instance, now)

    def next_deadline(self) -> float | None:
        """Return when to wait again for the connections of an instance that has ended quickly, several times."""
        return min(self._later.values(), default=None)

    def tick(self, now: float) -> None:
        """Wait for connections again where a pause is over."""
        for name in [name for name, due in self._later.items() if due <= now]:
            del self._later[name]
            instance = self._supervisor.instances.get(name)
            if instance is not None and self._is_listener(instance) and not self._is_served(instance.plan.listen):
                self._arm(instance)

    def close(self, now: float, code: int) -> None:
        """Close all sockets, and remove the files of Unix sockets."""
        self._let_go(list(self._armed))
        self._sockets.keep_only(())

    def remark(self, instance: Instance) -> dict[str, object]:
        """Return the length of the queue of each open socket, a clause for `why`, and the state of what waits for one.

        Of a queue whose length the system does not say, it is at least 1.
        """
        listen = instance.plan.listen
        if listen is None:
            return {}
        waiting = {one: self._sockets.waiting(one) for one in listen.addresses if one in self._sockets}
        queues = {one: 1 if count is None else count for one, count in waiting.items()}
        if self._is_awaiting(instance):
            where = " or ".join(listen.addresses)
            why = f"the first connection to {where} starts it, or `procman start {instance.name}`"
            return {"state": "listening", "why": "; ".join([why, *self._lost(waiting)]), "queues": queues}
        kept = [f"{one} is kept open{_queue(count)}" for one, count in waiting.items()]
        return {"why": "; ".join([*kept, *self._lost(waiting)]), "queues": queues} if kept else {}

    # Files of Unix sockets --------------------------------------------------------------------------------------------

    def _lost(self, addresses: Iterable[str]) -> list[str]:
        """Return a clause for each socket that clients cannot find any more."""
        lost = filter(self._sockets.is_lost, addresses)
        return [f"the file {one} was deleted or replaced: the next restart binds it again" for one in lost]

    def _on_lost(self, address: str) -> None:
        """A life that begins gets a new socket; those that run keep the old one until they are restarted."""
        self._disarm([address])
        self._hub.announce(f"the file {address} was deleted or replaced, so a new socket is bound there")

    # Which sockets stay open ------------------------------------------------------------------------------------------

    def _keeps(self, instance: Instance) -> bool:
        """Return whether something will accept the connections to the instance's sockets."""
        listen = instance.plan.listen
        if listen is None or self._supervisor.stopping is not None:
            return False
        if instance.state == State.BACKOFF:
            return instance.delay <= listen.hold
        if instance.state == State.WAITING and instance.held_up:
            return False  # it starts when the user starts what it needs
        return instance.wanted or self._is_listener(instance)

    def _is_listener(self, instance: Instance) -> bool:
        """Return whether a connection can start the instance: it is down, not failed, and not stopped by the user."""
        listen = instance.plan.listen
        return listen is not None and listen.on_connection and instance.state == State.EXITED and not instance.held

    def _is_served(self, listen: Listen | None) -> bool:
        """Return whether an instance is up, or about to be, that shares these sockets."""
        return listen is not None and any(
            one.wanted and one.plan.listen is not None and not {*one.plan.listen.addresses}.isdisjoint(listen.addresses)
            for one in self._supervisor.instances.values()
        )

    def _let_go(self, addresses: Iterable[str]) -> None:
        """Close these sockets, except those that another instance shares and keeps."""
        kept: set[str] = set()
        for one in self._supervisor.instances.values() if self._supervisor.stopping is None else ():
            if one.plan.listen is not None and self._keeps(one):
                kept.update(one.plan.listen.addresses)
        gone = [address for address in addresses if address not in kept]
        self._disarm(gone)
        for address in gone:
            self._sockets.close(address)

    # The first connection ---------------------------------------------------------------------------------------------

    def _is_awaiting(self, instance: Instance) -> bool:
        """Return whether a connection will start the instance, so that the session is not over."""
        listen = instance.plan.listen
        if listen is None or not self._is_listener(instance):
            return False
        return instance.name in self._later or any(address in self._armed for address in listen.addresses)

    def _arm(self, instance: Instance) -> None:
        assert self._poller is not None
        assert instance.plan.listen is not None
        try:
            fds = self._sockets.open(instance.plan.listen)
        except OSError as error:
            self._hub.announce(f"warning: {instance.name} cannot wait for connections: {error}")
            return
        for address, fd in zip(instance.plan.listen.addresses, fds, strict=True):
            if address not in self._armed:
                self._armed[address] = fd
                self._poller.add(fd, partial(self._on_connection, address))

    def _disarm(self, addresses: Iterable[str]) -> None:
        assert self._poller is not None
        for address in addresses:
            fd = self._armed.pop(address, None)
            if fd is not None:
                self._poller.remove(fd)

    def _on_connection(self, address: str) -> None:
        if self._supervisor.stopping is not None:
            self._let_go([address])
            return
        started = [one for one in self._supervisor.instances.values() if self._starts(one, address)]
        for instance in started:
            assert instance.plan.listen is not None
            self._disarm(instance.plan.listen.addresses)
        if not started:
            self._disarm([address])
            return
        names = ", ".join(instance.name for instance in started)
        self._hub.announce(f"first connection to {address}: starting {names}")
        self._supervisor.wish_by_itself(Event.START, started, time.monotonic())
        for instance in started:
            if not self._keeps(instance):
                self._let_go([address])

    def _starts(self, instance: Instance, address: str) -> bool:
        listen = instance.plan.listen
        return listen is not None and address in listen.addresses and self._is_listener(instance)

    def _listen_again(self, instance: Instance, now: float) -> None:
        """Wait for the next first connection.

        What ends immediately, again and again, perhaps does not accept the connection that starts it: it gets a pause.
        """
        short = self._short_lives.get(instance.name, 0) + 1 if instance.uptime(now) < SHORT_LIFE else 0
        self._short_lives[instance.name] = short
        if short > MOST_SHORT_LIVES:
            if short == MOST_SHORT_LIVES + 1:
                self._hub.announce(
                    f"{instance.name} ends right after each start; does it accept on descriptor 3? "
                    f"The next start waits {PAUSE:g} s"
                )
            self._later[instance.name] = now + PAUSE
        else:
            self._arm(instance)


def _queue(waiting: int | None) -> str:
    if waiting is None:
        return "; connections wait"
    return f"; {waiting} connection{' waits' if waiting == 1 else 's wait'}" if waiting else ""
