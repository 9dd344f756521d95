"""Keeps secrets out of what is shown: the values of variables whose names or forms say that they are secret."""

from __future__ import annotations

import os

from procman.config.files import read_environment, read_procfile, uses_overlay
from procman.core.text.printable import MASK, is_secret_name, masked
from procman.errors import ProcmanError
from procman.output.sanitize.escapes import without_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from procman.core.model.settings import Settings

SHORTEST = 6  # characters; a shorter value would also be found where it is not the secret
CUT = " […]"  # the end of a line that has lost its own end, maybe in the middle of a secret
_NEVER = ("name", "type", "state", "cursor", "time")  # keys of results that hold no text of a process


class Redaction:
    """Masks secret values. ``variables`` are names and values; ``inherited`` ones are secret by name."""

    def __init__(self, variables: Iterable[tuple[str, str]], inherited: Mapping[str, str]) -> None:
        found = {part for name, value in variables for part in _secret_parts(name, value)}
        found |= {
            line
            for name, value in inherited.items()
            if is_secret_name(name) and value[:1] != "/"
            for line in _lines(value)
        }
        self._secrets = sorted(found, key=len, reverse=True)  # one may contain another

    def text(self, text: str) -> str:
        """Return the text with every secret masked."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        *cut, rest = text.split(CUT)
        return "".join([*(f"{self._without_half_a_secret(part)}{CUT}" for part in cut), rest])

    def lines(self, lines: bytes) -> bytes:
        """Return lines without colors, which could be inside of a secret, and with every secret masked."""
        plain = without_color(lines) if 27 in lines else lines
        return self.text(plain.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def _without_half_a_secret(self, text: str) -> str:
        """Return the text with the beginning of a secret at its end masked. Up to two characters are not one."""
        for secret in self._secrets:
            for size in range(min(len(secret), len(text)), 2, -1):
                if text.endswith(secret[:size]):
                    return text[:-size] + MASK
        return text

    def value(self, value: object, key: str = "") -> object:
        """Return a result with every secret masked, except in what names a process."""
        if isinstance(value, str):
            return value if key in _NEVER else self.text(value)
        if isinstance(value, list):
            return [self.value(item, key) for item in value]
        if isinstance(value, dict):
            return {name: self.value(item, name) for name, item in value.items()}
        return value


def _secret_parts(name: str, value: str) -> Iterator[str]:
    shown = masked(name, value)
    if shown == value:
        return
    if MASK in shown and shown != MASK:  # a URL: only its password is secret
        before, _, after = shown.partition(MASK)
        value = value[len(before) : len(value) - len(after)]
    yield from _lines(value)


def _lines(value: str) -> list[str]:
    return [line for line in (line.strip() for line in value.splitlines()) if len(line) >= SHORTEST]


def redaction_for(settings: Settings) -> Redaction:
    """Return the redaction for the files of the project as they are now; what cannot be read has no secrets."""
    return Redaction(_variables(settings), os.environ)


def _variables(settings: Settings) -> Iterator[tuple[str, str]]:
    try:
        procfile = read_procfile(settings.procfile, settings.place("procfile"))
        environment, _ = read_environment(settings, os.environ, procfile)
        yield from ((name, environment.values[name]) for name in environment.given)
        if uses_overlay(settings):
            from procman.config.overlays import read_overlay

            for process in read_overlay(settings, procfile, environment).processes.values():
                yield from process.variables.items()
    except ProcmanError:
        return
