"""Decides which values are secrets, and what to show in their place; in doubt it is a secret."""

from __future__ import annotations

MASK = "********"

_SECRET_ENDS = ("KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "DSN")
_SECRET_WORDS = frozenset(("AUTH", "COOKIE", "LICENSE", "PASS", "PRIVATE", "PW", "PWD", "SALT", "SIGNATURE", "WEBHOOK"))
_ASSIGNMENTS = ("password=", "passwd=", "pwd=", "secret=", "token=", "key=", "-----begin", "bearer ", "basic ")
_LONG = 16  # characters of letters and digits mixed that no person would have chosen


def masked(name: str, value: str) -> str:
    """Return ``value`` as it may be shown: whole, without the password of its URL, or not at all."""
    if not value:
        return value
    if _is_secret_name(name.upper()) or "\n" in value or _holds_secret(value):
        return MASK
    scheme, slashes, rest = value.partition("://")
    user, at, host = rest.rpartition("@")
    if not slashes or not at:
        return MASK if _looks_random(value) else value
    account, colon, _ = user.partition(":")
    return f"{scheme}://{account}:{MASK}@{host}" if colon else f"{scheme}://{MASK}@{host}"


def _is_secret_name(name: str) -> bool:
    words = name.replace("-", "_").replace(".", "_").split("_")
    return any(word.endswith(_SECRET_ENDS) or word in _SECRET_WORDS for word in words)


def _holds_secret(value: str) -> bool:
    lowered = value.lower()
    return any(mark in lowered for mark in _ASSIGNMENTS)


def _looks_random(value: str) -> bool:
    for separator in ("/", ".", ":", ",", "@", "+", "="):
        value = value.replace(separator, " ")
    return any(len(run) >= _LONG and _is_mixed(run) for run in value.split())


def _is_mixed(run: str) -> bool:
    return any(char.isdigit() for char in run) and any(char.isalpha() for char in run)
