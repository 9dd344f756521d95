"""Makes foreign text safe to print: no control characters, no secrets."""

from __future__ import annotations

_READ = frozenset("\u00a0\u200c\u200d\u202f\u3000")  # joiners and blanks that many languages and emoji need
_DIRECTING = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

MASK = "********"

_SECRET_ENDS = ("KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "DSN")
_SECRET_WORDS = frozenset(("AUTH", "COOKIE", "LICENSE", "PASS", "PRIVATE", "PW", "PWD", "SALT", "SIGNATURE", "WEBHOOK"))
_ASSIGNMENTS = ("password=", "passwd=", "pwd=", "secret=", "token=", "key=", "-----begin", "bearer ", "basic ")
_RANDOM_LENGTH = 16  # a run of mixed letters and digits this long was not chosen by a person


def printable(text: str) -> str:
    """Return the text on one line, with ``?`` for each character that cannot be printed."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def visible(text: str) -> str:
    """Return the text on one line, with an escape (``\\x1b``, ``\\n``) for each character that cannot be printed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in _READ else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def is_directing(char: str) -> bool:
    """Whether a terminal acts on this character: a control other than a tab, or one that reverses or ends the line."""
    return (char < " " and char != "\t") or "\x7f" <= char <= "\x9f" or char in _DIRECTING


# Secrets ------------------------------------------------------------


def masked(name: str, value: str) -> str:
    """Return `value` as it may be shown: in full, without the password of its URL, or masked. If in doubt, mask."""
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
    return any(len(run) >= _RANDOM_LENGTH and _is_mixed(run) for run in value.split())


def _is_mixed(run: str) -> bool:
    return any(char.isdigit() for char in run) and any(char.isalpha() for char in run)
