"""Makes foreign text safe to print: no control characters, no secrets."""

from __future__ import annotations

from itertools import pairwise

_READ = frozenset("\u00a0\u200c\u200d\u202f\u3000")  # joiners and spaces that many languages and emoji need
_DIRECTING = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

MASK = "********"

# Parts of the words of a name: when in doubt, it is a secret. A plural counts as its singular.
_SECRET_ENDS = (
    *("AUTH", "BEARER", "COOKIE", "CRED", "DSN", "JWT", "KEY", "OTP", "PASS", "PASSES", "PASSCODE", "PIN", "PINCODE"),
    *("PSK", "PSWD", "PW", "PWD", "SALT", "SIG", "SIGNATURE"),
)
_SECRET_WORDS = frozenset(
    (
        *("CVC", "CVV", "FERNET", "HMAC", "JWK", "KEYTAB", "LICENSE", "MNEMONIC", "NONCE", "PAT", "PEM", "PEPPER"),
        *("PRIV", "PRIVATE", "SAS", "SEED", "SIGNING", "SK", "SSN", "WEBHOOK"),
    )
)
_SECRET_PAIRS = frozenset(
    (
        *(("ACCESS", "CODE"), ("BACKUP", "CODE"), ("INVITE", "CODE"), ("RECOVERY", "CODE"), ("UNLOCK", "CODE")),
        *(("CONN", "STR"), ("CONN", "STRING"), ("CONNECTION", "STRING"), ("HOOK", "URL")),
    )
)
_SECRET_PARTS = ("APIKEY", "CREDENTIAL", "PASSPHRASE", "PASSW", "SECRET", "TOKEN")
_PLAIN_WORDS = frozenset(
    ("BYPASS", "COMPASS", "DONKEY", "HOTKEY", "MONKEY", "OVERPASS", "SPIN", "TURNKEY", "UNDERPASS")
)
_PLAIN_NAMES = ("PWD", "OLDPWD")  # folders, set by each shell
_SECRET_MARKS = ("-----begin", "bearer ", "basic ")
_CONFIDENTIAL = (
    "(?:pass(?:word|wd|w|phrase|code)?|pwd?|pswd|secret|token|key|sig(?:nature)?|auth(?:orization)?|cred(?:ential)?|"
    "pin|bearer|jwt|otp|psk|salt)s?"
)
_RANDOM_LENGTH = 16  # a run of mixed letters and digits this long was not chosen by a person


def printable(text: str) -> str:
    """Return the text on one line, with ``?`` for each character that cannot be printed."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def visible(text: str) -> str:
    """Return the text on one line, with an escape (``\\x1b``, ``\\n``) for each character that cannot be printed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in _READ else escaped(char) for char in text)


def escaped(char: str) -> str:
    """Return the escape of a character: ``\\x1b``, ``\\n``."""
    return char.encode("unicode_escape").decode()


def is_directing(char: str) -> bool:
    """Whether a terminal acts on this character: a control other than a tab, or one that reverses or ends the line."""
    return (char < " " and char != "\t") or "\x7f" <= char <= "\x9f" or char in _DIRECTING


# Secrets ------------------------------------------------------------


def masked(name: str, value: str) -> str:
    """Return `value` as it may be shown: in full, without the password of its URL, or masked. If in doubt, mask."""
    if not value:
        return value
    if is_secret_name(name) or "\n" in value or holds_secret(value):
        return MASK
    scheme, slashes, rest = value.partition("://")
    user, at, host = (rest if slashes else value).rpartition("@")
    account, colon, _ = user.partition(":")
    if not at or not (slashes or colon):  # without a scheme, as in `user:password@tcp(db)/shop`, only with a password
        return MASK if _looks_random(value) else value
    before = f"{scheme}{slashes}" if slashes else ""
    return f"{before}{account}:{MASK}@{host}" if colon else f"{before}{MASK}@{host}"


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret. If in doubt, it does."""
    if name in _PLAIN_NAMES:
        return False
    words = _words_of(name)
    singular = [word if word.endswith("SS") else word.removesuffix("S") for word in words]
    return any(map(_is_secret_word, (*words, *singular))) or not _SECRET_PAIRS.isdisjoint(pairwise(singular))


def _is_secret_word(word: str) -> bool:
    if word in _PLAIN_WORDS:
        return False
    return word.endswith(_SECRET_ENDS) or word in _SECRET_WORDS or any(part in word for part in _SECRET_PARTS)


def _words_of(name: str) -> list[str]:
    """Return the words of ``DB_PASS2`` or ``dbPass``, in upper case and without digits at their ends."""
    split = "".join(
        [
            f"_{char}" if char.isupper() and before.islower() else char
            for before, char in zip(" " + name, name, strict=False)
        ]
    )
    words = split.upper().replace("-", "_").replace(".", "_").replace("TOKENIZE", "").split("_")
    return [word.rstrip("0123456789") for word in words]


def holds_secret(value: str) -> bool:
    """Whether a string sets something that sounds like a secret: ``password=x``, ``"token": "x"``, ``--pass x``."""
    import re

    lowered = value.lower()
    if any(mark in lowered for mark in _SECRET_MARKS) or re.search(_CONFIDENTIAL + r"[\"']? {0,3}=", lowered):
        return True
    colon = r"[\"'] {0,3}:" if "://" in value else r"[\"']? {0,3}:"  # redis://auth:6379 names a host
    return re.search(rf"{_CONFIDENTIAL}{colon}|--?(?:[a-z0-9]+-)*{_CONFIDENTIAL} ", lowered) is not None


def _looks_random(value: str) -> bool:
    for separator in ("/", ".", ":", ",", "@", "+", "="):
        value = value.replace(separator, " ")
    return any(len(run) >= _RANDOM_LENGTH and _is_mixed(run) for run in value.split())


def _is_mixed(run: str) -> bool:
    return any(char.isdigit() for char in run) and any(char.isalpha() for char in run)
