"""A plugin of pytest: the fixture ``procman``, a session of the Procfile for the tests that use it.

pytest imports this module in every run, so it imports nothing else of procman, and registers a hook for tests only when
the first one uses the fixture. The session is that of ``procman test``, whose command is a program that waits for its
end of file: it ends with pytest, even if that is killed. Everything else is done by our own commands.

Nothing here is worth the time that pytest would take to rewrite its assertions: PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import sys
import time
import warnings

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from typing import IO, Any

OUTER = "PROCMAN_TEST_SOCKET"  # set by `procman test` for its command
_ENDS_WITH_INPUT = "_PROCMAN_ENDS_WITH_INPUT"  # for `procman test`, before its command runs
REPORTED_LINES = 100  # of the output during a test that fails
SLACK = 0.1  # seconds before a test whose output is shown with it
START_TIME = 30.0  # seconds that a command may take to start
# Prints its environment, then waits for the end of its input.
_HOLDER = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
_INI = {
    "procman_procfile": "the Procfile of the fixture procman, relative to the rootdir [Procfile]",
    "procman_formation": "how many of each process the fixture procman starts: web=2,db=1 [one of each]",
    "procman_timeout": "how long the fixture procman waits until all are ready, in seconds [60]",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of the fixture."""
    for name, text in _INI.items():
        parser.addini(name, text)
    parser.addini("procman_args", "further options of `procman test` for the fixture procman", type="args")


@pytest.fixture(scope="session")
def procman(pytestconfig: pytest.Config) -> Iterator[Procman]:
    """A session of the Procfile with free ports, ready, and stopped after the last test.

    Under ``procman test -- pytest`` it is the session of that command.
    """
    session = _outer_session(pytestconfig) or OwnSession(pytestconfig)
    reporter = Reporter(session)
    pytestconfig.pluginmanager.register(reporter)
    try:
        yield session
    finally:
        pytestconfig.pluginmanager.unregister(reporter)
        session.end()


class CommandError(RuntimeError):
    """A command of procman has failed; the text is what it printed on standard error."""


class Procman:
    """The session. ``env`` is what ``procman run`` would give to a command: the env files, ports and addresses.

    Names are those of process types (``web``, which means its first instance where there must be one) or of instances
    (``web.2``).
    """

    def __init__(self, config: pytest.Config, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        self.began = time.time()
        self.began_monotonic = time.monotonic()
        self._folder = config.rootpath
        self._socket = self.env[OUTER]
        self._rows: list[dict[str, Any]] = []

    def command(self, *words: str) -> str:
        """Run a command such as ``scale web=2`` on the session and return what it prints. Raises CommandError."""
        import subprocess

        verb, *rest = words
        line = [*_own_command(), verb, f"--socket={self._socket}", *rest]
        done = subprocess.run(  # noqa: S603 (our own command)
            line, cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=_environment()
        )
        if done.returncode:
            raise CommandError(_text(done.stderr).strip() or f"{verb}: exit status {done.returncode}")
        return _text(done.stdout)

    def status(self) -> list[dict[str, Any]]:
        """Return a record for each instance, as ``procman ps --json`` shows it: name, type, state, port and others."""
        import json

        self._rows = json.loads(self.command("ps", "--json"))["instances"]
        return self._rows

    def port(self, name: str = "web") -> int:
        """Return the port of an instance."""
        port: int | None = self._row(name)["port"]
        if port is None:
            raise CommandError(f"{name} has no port")
        return port

    def url(self, name: str = "web") -> str:
        """Return the address of an instance: ``http://localhost:61000``."""
        return str(self._row(name)["url"] or f"http://localhost:{self.port(name)}")

    def logs(self, *names: str, lines: int = 200, since: float | None = None) -> str:
        """Return the last lines of output, of all processes or of the named ones; ``since`` is in seconds."""
        age = [] if since is None else [f"--since={max(0.0, since):.3f}"]
        return self.command("logs", "--no-color", f"--lines={lines}", *age, "--", *names)

    def start(self, *names: str) -> None:
        """Start processes, and wait until they are ready."""
        self.command("start", *names)

    def stop(self, *names: str) -> None:
        """Stop processes, and wait until they have ended. Without names, this ends the session."""
        self.command("stop", *names)

    def restart(self, *names: str) -> None:
        """Restart processes, all of them without names, and wait until they are ready."""
        self._rows = []
        self.command("restart", *names)

    def wait(self, *names: str, timeout: float = 60.0) -> None:
        """Wait until processes are ready. Raises CommandError after ``timeout`` seconds."""
        self.command("wait", f"--timeout={timeout:.3f}", *names)

    def trouble(self) -> str:
        """Return why the session has ended; empty as long as it runs."""
        return ""

    def end(self) -> None:
        """End the session."""

    def _row(self, name: str) -> dict[str, Any]:
        for rows in (self._rows, self.status()) if self._rows else (self.status(),):
            for row in rows:
                if name in (row["name"], row["type"]):
                    return row
        raise CommandError(f'the session has no process "{name}"')


class OwnSession(Procman):
    """A session that this run of pytest has started, and ends."""

    def __init__(self, config: pytest.Config) -> None:
        import json
        import subprocess
        import tempfile

        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it is open as long as the session is)
        self._told = 0  # bytes of it that belong to the start
        holder = [sys.executable, "-I", "-S", "-c", _HOLDER]
        line = [*_own_command(), "test", "--isolated", *_options(config), "--", *holder]
        # In a session of its own: Ctrl-C interrupts the tests, which then end it.
        self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 (our own command)
            line,
            cwd=config.rootpath,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env={**_environment(), _ENDS_WITH_INPUT: "1"},
            start_new_session=True,
        )
        try:
            assert self._process.stdout is not None
            env = self._process.stdout.readline()
        except BaseException:
            self._process.terminate()  # it would notice the end of its input only when all processes are ready
            self._process.communicate()
            raise
        if not env:
            self._process.communicate()
            pytest.fail(f"the session of procman has not started:\n{self._said()}", pytrace=False)
        self._told = os.fstat(self._messages.fileno()).st_size
        super().__init__(config, json.loads(env))

    def trouble(self) -> str:
        """See Procman.trouble."""
        if self._process.poll() is None:
            return ""
        return f"the session of procman has ended (exit status {self._process.returncode}):\n{self._said()}"

    def end(self) -> None:
        """Stop all processes and wait for their end. A process that has failed meanwhile is a warning."""
        lost = self._process.poll() is not None
        try:
            self._process.communicate()  # the end of its input stops it
        except ValueError:
            self._process.wait()
        if self._process.returncode and not lost:
            said = self._said()
            summary = [line for line in said.splitlines() if line.startswith("procman: ")]
            warnings.warn(pytest.PytestWarning("\n".join(summary) or said), stacklevel=2)
        self._messages.close()

    def _said(self) -> str:
        self._messages.seek(self._told)
        return _text(self._messages.read()).strip()


def _outer_session(config: pytest.Config) -> Procman | None:
    """Return the session of ``procman test``, if pytest is its command and the Procfile is the same."""
    if not os.environ.get(OUTER):
        return None
    import json

    session = Procman(config, os.environ)
    try:
        procfile = json.loads(session.command("ps", "--json"))["procfile"]
    except CommandError:
        return None  # it has ended
    wanted = config.getini("procman_procfile")
    same = not wanted or os.path.realpath(config.rootpath / wanted) == os.path.realpath(procfile)
    return session if same else None


def _options(config: pytest.Config) -> list[str]:
    flags = {"procfile": "--procfile", "formation": "--formation", "timeout": "--timeout"}
    given = {flag: config.getini(f"procman_{name}") for name, flag in flags.items()}
    return [*(f"{flag}={text}" for flag, text in given.items() if text), *config.getini("procman_args")]


def _own_command() -> Sequence[str]:
    return (sys.executable, "-P", "-m", "procman")


def _environment() -> dict[str, str]:
    """Return our environment without the name of the test that runs just now, since the processes run longer, and
    without another session.
    """
    return {name: text for name, text in os.environ.items() if name not in ("PYTEST_CURRENT_TEST", OUTER)}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


class Reporter:
    """The hooks for tests, registered when the first one uses the fixture: a failure shows what the processes wrote."""

    def __init__(self, session: Procman) -> None:
        self._session = session
        self._began = session.began, session.began_monotonic

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember when the test begins. Fail it if there is no session any more."""
        self._began = time.time(), time.monotonic()
        if _uses_session(item) and (trouble := self._session.trouble()):
            pytest.fail(trouble, pytrace=False)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Add what the processes have written during a test that fails."""
        outcome = yield
        report = outcome.get_result()
        if report.failed and _uses_session(item):
            report.sections.append(("procman", self._output()))

    def _output(self) -> str:
        began, began_monotonic = self._began
        now = time.time()
        age = max(now - began, time.monotonic() - began_monotonic)  # the clock may have been set meanwhile
        try:
            text = self._output_after(now - age - SLACK, age + START_TIME)
            down = [row for row in self._session.status() if row["state"] in ("failed", "backoff")]
        except CommandError as error:
            return self._session.trouble() or str(error)
        states = [f"{row['name']} is down: {row['exit'] or row['state']}\n" for row in down]
        return "".join((text or "no output during this test\n", *states))

    def _output_after(self, moment: float, age: float) -> str:
        """Return the last lines that were written after this moment, which are younger than ``age``.

        An age alone would count from the start of the command, which takes long on a busy machine.
        """
        import json
        from datetime import datetime

        cursor = ""
        for line in self._session.command("logs", "--json", f"--since={age:.3f}").splitlines():
            record = json.loads(line)
            if "cursor" in record and datetime.fromisoformat(record["time"]).timestamp() < moment:
                cursor = record["cursor"]
        wanted = f"--after={cursor}" if cursor else f"--since={age:.3f}"
        lines = self._session.command("logs", "--no-color", wanted).splitlines(keepends=True)
        return "".join(lines[-REPORTED_LINES:])


def _uses_session(item: pytest.Item) -> bool:
    return "procman" in getattr(item, "fixturenames", ())
