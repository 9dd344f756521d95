"""Jobs: a release phase, or a command of `run`. Swarm has no other way to run something once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from procman.engines.calls import Pause, now, run, run_together
from procman.engines.docker_cli import variables
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.records import LogLine
from procman.engines.swarm.swarm_names import APP, FOLDER
from procman.engines.swarm.swarm_records import moment, tasks
from procman.engines.swarm.swarm_stack import ENVIRONMENT, TaskWords, no_templates
from procman.engines.waiting import growing
from procman.export.container.first_process import source
from procman.export.shell import in_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.engines.calls import Outcome, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.swarm.swarm_files import Kept
    from procman.engines.swarm.swarm_records import Service, Task

JOB = "procman.job"  # label
_LOST = 10.0  # seconds that a node may take to stop a task; one that does not answer never does
_IDS = ("--quiet", "--no-trunc")  # options of `docker service ps`
_LINE = re.compile(rb"(\S+) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: the options, the image and the command for Swarm, and the variables.

    ``instance`` is its name. It may take ``start_limit`` seconds until it runs; then it takes as long as it takes.
    """

    instance: str
    task: TaskWords
    start_limit: float


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: the last look at its task, and its last lines."""

    task: Task
    code: int
    lines: tuple[str, ...]


def perform_job(docker: Docker, name: str, network: str, job: Job) -> Steps[Ended]:
    """Run a job in a swarm, yield its lines as it writes them, and remove it, however it ends.

    It is a service whose only task is not restarted: the containers of Swarm's own jobs stay behind when they are
    removed, and `service create` would wait forever for a job that fails.
    """
    service = f"{name}-{job.instance.partition('.')[0]}-{(yield from now()) * 1000:.0f}"
    words = ("service", "create", "--detach", "--quiet", f"--name={service}")
    labels = (f"--label={APP}={name}", f"--label={JOB}={job.instance}")
    more = ("--restart-condition=none", "--with-registry-auth", f"--network={network}")
    given = variables(job.task.environment)
    create = docker(*words, *labels, *more, *given.options, *job.task.words, stdin=given.stdin, env=given.env)
    try:
        docker.require((yield from run(create)), f"{job.instance} cannot be started")
        ended = yield from _followed(docker, service, job)
    except GeneratorExit:
        raise
    except BaseException:
        yield from run(docker("service", "rm", service))
        raise
    yield from run(docker("service", "rm", service))
    return ended


def _followed(docker: Docker, service: str, job: Job) -> Steps[Ended]:
    output = _Output(job.instance)
    ids: list[str] = []
    end = (yield from now()) + job.start_limit
    for pause in growing(0.2):
        calls = [docker("service", "logs", "--raw", "--timestamps", *output.since(), service)]
        calls += [docker("inspect", "--type", "task", *ids) if ids else docker("service", "ps", *_IDS, service)]
        logs, answer = yield from run_together(calls)
        inspected = [answer] if ids else []
        ids = ids or answer.text.split()
        for line in output.new(logs):
            yield line
        found = tasks(inspected[0].text) if inspected else []
        task = found[-1] if found else None
        if task and task.has_ended:
            for line in output.new((yield from run(calls[0]))):  # what it wrote after the look
                yield line
            return Ended(task, _code(task), tuple(output.last))
        time = yield from now()
        if task and task.is_wanted and task.state == "running":
            end = time + _LOST
        elif time >= end:
            raise _not_run(job, task)
        yield Pause(pause)
    raise AssertionError


def _not_run(job: Job, task: Task | None) -> EngineError:
    if task and task.state == "running":
        return EngineError(f"the machine that ran {job.instance} does not answer", "docker node ls shows which it is")
    why = f": {task.error}" if task and task.error else ""
    return EngineError(f"{job.instance} did not start within {job.start_limit:g} s{why}", "", EXIT_TIMEOUT)


def _code(task: Task) -> int:
    """Return the exit code. A task that was never started has none."""
    if task.state == "complete":
        return 0
    return task.code or 1


class _Output:
    """The lines of a job, each once."""

    def __init__(self, instance: str) -> None:
        self.last: list[str] = []
        self._instance = instance
        self._latest = b""  # the time of the latest line, as Docker writes it
        self._seen: set[tuple[bytes, bytes]] = set()

    def since(self) -> tuple[str, ...]:
        """Return the option for the lines that are new, and some more: clocks have a limited resolution."""
        return ("--since", self._latest.decode()) if self._latest else ()

    def new(self, outcome: Outcome) -> list[LogLine]:
        """Return the lines that were not there before, in the order of their times."""
        found = []
        for stream, data in (("stdout", outcome.out), ("stderr", outcome.err)):
            for line in data.split(b"\n"):
                match = _LINE.fullmatch(line)
                if match and moment(match[1].decode("ascii", "replace")) and (match[1], match[2]) not in self._seen:
                    self._seen.add((match[1], match[2]))
                    found.append((match[1], stream, match[2]))
        found.sort(key=lambda one: one[0])
        if found:
            self._latest = max(self._latest, found[-1][0])
        self.last = [*self.last, *(text.decode("utf-8", "replace") for _, _, text in found)][-20:]
        return [LogLine(self._instance, text, moment(time.decode()), stream) for time, stream, text in found]


def one_off(services: Sequence[Service], file: Kept | None, command: str, process: str) -> TaskWords:
    """Return a command with the environment and the folder of a process type, or else with what all types share.

    Raises EngineError if what is deployed does not say that.
    """
    service = next((one for one in services if one.type == process), None)
    part = None if service or file is None else file.one_off(process)
    container = (service or services[0]).spec["ContainerSpec"]
    if service:
        env = dict(pair.partition("=")[::2] for pair in container.get("Env") or ())
        secrets = [one["SecretName"] for one in container.get("Secrets") or ()]
        folder = service.labels.get(FOLDER, "")
    elif part:
        env = {name: no_templates(value) for name, value in part["environment"].items()}
        secrets, folder = [part["secret"]] if part["secret"] else [], part["folder"]
    else:
        hint = "deploy again; until then, name a process type"
        raise EngineError("an older procman has deployed it, without the environment of commands", hint)
    user = container.get("User")
    words = (
        "--no-resolve-image",
        *(f"--secret=source={name},target={ENVIRONMENT.rpartition('/')[2]}" for name in secrets),
        *((f"--user={user}",) if user else ()),
        container["Image"],
        *("/bin/sh", "-c", (source(ENVIRONMENT) if secrets else "") + in_folder(command, folder)),
    )
    return TaskWords(words, {**env, "PS": "run.1", "PROCMAN_INSTANCE": "run.1", **_name_of(process)})


def _name_of(process: str) -> dict[str, str]:
    return {"PROCMAN_PROCESS": process} if process else {}
