"""What the tools return. The SDK makes the schemas of their structured output from these records."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Process(BaseModel):
    """One process of the session."""

    name: str = Field(description="for example web.1")
    type: str
    state: str = Field(description="running is up and ready; starting and waiting are not there yet")
    pid: int | None
    port: int | None
    url: str | None
    uptime_seconds: float | None
    restarts: int
    crashes: int
    last_exit: str | None
    cpu_percent: float | None
    memory_bytes: int | None


class Status(BaseModel):
    """A session and its processes."""

    pid: int
    procfile: str
    root: str = Field(description="the folder that the processes run in")
    session: str
    stopping: str | None = Field(description="why the session is stopping, if it is")
    processes: list[Process]


class Address(BaseModel):
    """One process, and where it can be reached."""

    name: str
    state: str
    port: int | None
    url: str | None


class Up(BaseModel):
    """A session in which everything is ready."""

    ready: bool
    begun: bool = Field(description="whether this call has started the session")
    pid: int
    procfile: str
    root: str
    processes: list[Address]
    messages: list[str]


class Change(BaseModel):
    """What a stop or a restart has done."""

    done: bool = Field(description="false if it still takes; then call wait or status")
    messages: list[str]
    session_ended: bool


class Reason(BaseModel):
    """Why a process is in its state."""

    name: str
    state: str
    why: str


class Reasons(BaseModel):
    """The reasons for the states of processes."""

    processes: list[Reason]


class Readiness(BaseModel):
    """Whether processes are ready, and if not, why."""

    ready: bool
    message: str
    processes: list[Reason] = Field(description="those that are not running; empty if all are ready")


class Line(BaseModel):
    """One line of output."""

    name: str
    time: str
    text: str


class Lines(BaseModel):
    """Lines of output, the oldest first."""

    lines: list[Line]
    cursor: str | None = Field(description="pass it as after, to get only what is written later")
    truncated: bool = Field(description="whether there are more lines, or longer ones, than this result holds")
    skipped_bytes: int = Field(description="how much output after the cursor is not kept any more")
    session_ended: str | None = Field(description="how the session ended; none if it is running, or more lines follow")


class Finding(BaseModel):
    """A problem in a file."""

    severity: str
    file: str
    line: int
    column: int
    message: str


class Checked(BaseModel):
    """What is wrong in the Procfile and the configuration files."""

    ok: bool
    process_types: list[str]
    instances: list[str]
    problems: list[Finding]
    messages: list[str]
