"""What the files of a language or a framework show."""

from __future__ import annotations

import tomllib

import pytest

from procman.core.detection import languages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.detection.proposal import Proposal


def lines(proposals: Iterable[Proposal]) -> list[str]:
    return [f"{one.name}: {one.command}" for one in proposals]


def test_django_and_celery() -> None:
    assert lines(languages.of_django("")) == ["web: python manage.py runserver $PORT"]
    assert lines(languages.of_django("", "python3")) == ["web: python3 manage.py runserver $PORT"]
    assert lines(languages.of_celery("shop", "app = Celery('shop')\n", "uv run ")) == [
        "worker: uv run celery -A shop worker"
    ]
    assert lines(languages.of_celery("shop", "# Celery(\nfrom celery import Celery\n", "")) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("app = FastAPI()\n", "web: uvicorn main:app --reload --port $PORT"),
        ("import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI(\n", "web: uvicorn main:api --reload --port $PORT"),
        ("app = Flask(__name__)\n", "web: flask --app main run --debug --port $PORT"),
        ("site = Flask(__name__)\n", "web: flask --app main:site run --debug --port $PORT"),
    ],
)
def test_python_applications(text: str, line: str) -> None:
    assert lines(languages.of_python("main", text, "")) == [line]


@pytest.mark.parametrize("text", ["", "def make():\n    app = FastAPI()\n", "# app = FastAPI()\n", "app = Other()\n"])
def test_python_without_an_application(text: str) -> None:
    assert lines(languages.of_python("main", text, "")) == []


@pytest.mark.parametrize(("file", "prefix"), [("uv.lock", "uv run "), ("poetry.lock", "poetry run "), ("x", "")])
def test_the_lock_file_names_the_runner(file: str, prefix: str) -> None:
    assert languages.runner([file]) == prefix


def test_ruby() -> None:
    rails = "source 'x'\ngem 'rails', '~> 8'\ngem(\"sidekiq\")\n"
    assert lines(languages.of_gemfile(rails, True)) == [
        "web: bundle exec rails server -p $PORT",
        "worker: bundle exec sidekiq",
    ]
    assert lines(languages.of_gemfile("# gem 'rails'\ngem 'rails-i18n'\n", True)) == [
        "web: bundle exec rackup -p $PORT"
    ]


@pytest.mark.parametrize(
    ("text", "has_main", "others", "expected"),
    [
        ('[package]\nname = "shop"\n', True, (), ["shop: cargo run"]),
        ('[package]\nname = "lib"\n', False, (), []),
        (
            '[[bin]]\nname = "one"\n[[bin]]\nname = "two"\n',
            False,
            (),
            ["one: cargo run --bin one", "two: cargo run --bin two"],
        ),
        ('[package]\nname = "shop"\n', True, ("x",), ["shop: cargo run --bin shop", "x: cargo run --bin x"]),
        ('[package]\nname = "shop"\n[[bin]]\nname = "sell"\npath = "src/main.rs"\n', True, (), ["sell: cargo run"]),
        ("package = 3\nbin = 4\n", False, (), []),
    ],
)
def test_cargo(text: str, has_main: bool, others: tuple[str, ...], expected: list[str]) -> None:
    assert lines(languages.of_cargo(tomllib.loads(text), has_main, others)) == expected


def test_laravel_and_phoenix() -> None:
    assert lines(languages.of_artisan()) == ["web: php artisan serve --port=$PORT"]
    assert lines(languages.of_mix('defp deps, do: [{:phoenix, "~> 1.8"}]')) == ["web: mix phx.server"]
    assert lines(languages.of_mix("defp deps, do: [{:phoenix_html, []}]")) == []


def test_go() -> None:
    assert lines(languages.of_go("// x\nmodule example.com/x/shop/v2\n", True, ["send"])) == [
        "shop: go run .",
        "send: go run ./cmd/send",
    ]
    assert lines(languages.of_go("", True, [])) == []


def test_a_name_is_a_single_argument() -> None:
    assert lines(languages.of_go("module x\n", False, ["a; b"])) == ["a; b: go run './cmd/a; b'"]
    bins = {"bin": [{"name": "a b"}, {"name": "c"}]}
    assert lines(languages.of_cargo(bins, False))[0] == "a b: cargo run --bin 'a b'"
