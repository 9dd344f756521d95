"""Processes that the files of a language or a framework show: Python, Ruby, PHP, Elixir, Rust, Go."""

from __future__ import annotations

import re

from procman.core.detection.proposal import Proposal
from procman.core.procfile.command import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUNNERS = {"uv.lock": "uv run ", "poetry.lock": "poetry run ", "Pipfile.lock": "pipenv run "}
_APP = re.compile(r"^(\w+)[ \t]*(?::[ \t]*[\w.]+[ \t]*)?=[ \t]*(?:\w+\.)?(FastAPI|Starlette|Flask)\(", re.MULTILINE)
_CELERY = re.compile(r"^\w+[ \t]*=[ \t]*(?:celery\.)?Celery\(", re.MULTILINE)
_GEM = r"^[ \t]*gem[ \t(]*[\"']{}[\"']"


def runner(files: Sequence[str]) -> str:
    """Return what runs a program in the project's environment, by its lock file; empty if there is none."""
    return next((prefix for name, prefix in RUNNERS.items() if name in files), "")


def of_django(prefix: str, python: str = "python") -> Iterator[Proposal]:
    """Yield the development server of a folder with manage.py."""
    yield Proposal("web", f"{prefix}{python} manage.py runserver $PORT", "manage.py")


def of_celery(package: str, text: str, prefix: str) -> Iterator[Proposal]:
    """Yield the worker of an application in PACKAGE/celery.py."""
    if _CELERY.search(text):
        yield Proposal("worker", f"{prefix}celery -A {package} worker", f"{package}/celery.py")


def of_python(module: str, text: str, prefix: str) -> Iterator[Proposal]:
    """Yield the server of a FastAPI, Starlette or Flask application that a module defines at its top level."""
    found = _APP.search(text)
    if not found:
        return
    source = f"{module}.py: {found[1]}"
    if found[2] == "Flask":
        app = module if found[1] in ("app", "application") else f"{module}:{found[1]}"
        yield Proposal("web", f"{prefix}flask --app {app} run --debug --port $PORT", source)
    else:
        yield Proposal("web", f"{prefix}uvicorn {module}:{found[1]} --reload --port $PORT", source)


def of_gemfile(text: str, has_rackup: bool) -> Iterator[Proposal]:
    """Yield the server of a Rails or Rack application, and Sidekiq."""
    if re.search(_GEM.format("rails"), text, re.MULTILINE):
        yield Proposal("web", "bundle exec rails server -p $PORT", "Gemfile: rails")
    elif has_rackup:
        yield Proposal("web", "bundle exec rackup -p $PORT", "config.ru")
    if re.search(_GEM.format("sidekiq"), text, re.MULTILINE):
        yield Proposal("worker", "bundle exec sidekiq", "Gemfile: sidekiq")


def of_artisan() -> Iterator[Proposal]:
    """Yield the development server of a Laravel application, the folder of which has the file artisan."""
    yield Proposal("web", "php artisan serve --port=$PORT", "artisan")


def of_mix(text: str) -> Iterator[Proposal]:
    """Yield the server of a Phoenix application, which reads PORT by itself."""
    if re.search(r"\{[ \t]*:phoenix[ \t]*,", text):
        yield Proposal("web", "mix phx.server", "mix.exs: phoenix")


def of_cargo(data: Mapping[str, object], has_main: bool, others: Sequence[str] = ()) -> Iterator[Proposal]:
    """Yield the programs of a parsed Cargo.toml; `others` are those in src/bin."""
    package = data.get("package")
    name = str(package.get("name", "")) if isinstance(package, dict) else ""
    bins = data.get("bin")
    tables = [one for one in bins if isinstance(one, dict)] if isinstance(bins, list) else []
    named = {str(one["name"]): f"Cargo.toml: bin.{one['name']}" for one in tables if "name" in one}
    named |= {one: f"src/bin/{one}.rs" for one in others if one not in named}
    if has_main and not any(one.get("path") == "src/main.rs" for one in tables):
        named = {name: "Cargo.toml: package", **named}
    for one, source in named.items():
        yield Proposal(one, "cargo run" if len(named) == 1 else f"cargo run --bin {quoted(one)}", source)


def of_go(text: str, has_main: bool, commands: Sequence[str]) -> Iterator[Proposal]:
    """Yield the programs of a Go module: its own folder, and those in cmd."""
    found = re.search(r"^module[ \t]+[\"]?([^\s\"]+)", text, re.MULTILINE)
    if has_main and found:
        name = re.sub(r"/v\d+$", "", found[1]).rpartition("/")[2]
        yield Proposal(name, "go run .", "go.mod: module")
    for command in commands:
        yield Proposal(command, f"go run {quoted(f'./cmd/{command}')}", f"cmd/{command}/main.go")
