"""Foreign text is shown safely: nothing that a terminal acts on, and no secrets."""

from __future__ import annotations

import pytest

from procman.core.text.printable import MASK, is_directing, masked, printable, visible


@pytest.mark.parametrize(
    ("text", "shown"), [("plain", "plain"), ("a\x1b[31m\nb", "a?[31m?b"), ("ü界", "ü界"), ("\u202e", "?"), ("", "")]
)
def test_what_cannot_be_printed_is_a_question_mark(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("a\x1b\nb", r"a\x1b\nb"), ("\u202e", r"\u202e"), ("a\u200db\u00a0", "a\u200db\u00a0")],
)
def test_what_cannot_be_seen_is_escaped_but_for_what_people_need(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("char", ["\x00", "\n", "\x1b", "\x1f", "\x7f", "\x9b", "\x9f", "\u202e", "\u2028"])
def test_a_terminal_acts_on_controls(char: str) -> None:
    assert is_directing(char)


@pytest.mark.parametrize("char", ["\t", " ", "~", "\xa0", "ü", "\u200d"])
def test_a_terminal_shows_the_rest(char: str) -> None:
    assert not is_directing(char)


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "api_key",
        "APIKEY",
        "DB-PASSWORD",
        "db.passwd",
        "TOKEN",
        "GITHUB_TOKEN",
        "TOKEN_OF_X",
        "CLIENT_SECRET",
        "SENTRY_DSN",
        "HTTP_AUTH",
        "MY_PW",
        "COOKIE",
        "CREDENTIALS",
        "STRIPE_SK",
        "stripeSk",
        "GITHUB_PAT",
        "SMTP_PWD",
        "FTP_PASS",
        "GCP_CREDENTIALS",
        "APP_SIGNING",
        "SSH_PRIVATE",
        "DEPLOY_PRIV",
        "AZURE_SAS",
        "SERVER_PEM",
        "COOKIE_HMAC",
        "JWKS",
        "SLACK_WEBHOOK_URL",
        "TEAMS_HOOK_URL",
        "REDIS_CONN_STR",
        "DB_CONNECTION_STRING",
        "RECOVERY_CODES",
        "SMS_PASSCODE",
    ],
)
def test_a_secret_by_its_name_is_masked(name: str) -> None:
    assert masked(name, "x") == MASK


@pytest.mark.parametrize(
    "name",
    [
        *("AUTHOR", "KEYBOARD", "PASSENGER", "PASSENGER_MAX_POOL_SIZE", "COLOR", "PATH", "PWD", "OLDPWD"),
        *(
            "MONKEY",
            "SPIN",
            "BYPASS_CACHE",
            "COMPASS_MODE",
            "PATTERN",
            "PATIENT_NAME",
            "SKIP_TESTS",
            "SKU",
            "TASK",
            "DISK",
        ),
        *("SASS_PATH", "PRIVILEGED", "DESIGN", "POST_CODE", "ACCESS_LOG", "HOOKS", "CONNECTIONS", "STRING_LENGTH"),
    ],
)
def test_a_name_that_only_looks_like_one_is_not(name: str) -> None:
    assert masked(name, "x") == "x"


@pytest.mark.parametrize(
    "value",
    [
        "password=x",
        "host=db PWD=x",
        "Bearer x",
        "-----BEGIN X",
        "two\nlines",
        "abcdefgh12345678",
        "prefix/abcdefgh12345678/more",
        "a=abcdefgh12345678",
    ],
)
def test_a_secret_by_its_value_is_masked(value: str) -> None:
    assert masked("COLOR", value) == MASK


@pytest.mark.parametrize(
    "value", ["", "red", "abcdefg12345678", "abcdefghabcdefghabcdefgh", "1234567890123456", "/usr/lib/x86_64", "8.0.0"]
)
def test_a_value_that_a_person_has_chosen_is_shown(value: str) -> None:
    assert masked("COLOR", value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgres://me:hidden@db:5432/app", f"postgres://me:{MASK}@db:5432/app"),
        ("https://hidden@host/x", f"https://{MASK}@host/x"),
        ("https://host/x", "https://host/x"),
        ("redis://:hidden@host", f"redis://:{MASK}@host"),
        ("me@example.org", "me@example.org"),
        ("git@example.org:shop/web.git", "git@example.org:shop/web.git"),
        ("me:hidden@tcp(db:3306)/app", f"me:{MASK}@tcp(db:3306)/app"),
        ("me:hid@den@db/app", f"me:{MASK}@db/app"),
        ("https://me:p@ss@host", f"https://me:{MASK}@host"),
    ],
)
def test_a_url_loses_its_password(value: str, shown: str) -> None:
    assert masked("URL", value) == shown


def test_nothing_is_nothing_whatever_its_name() -> None:
    assert masked("API_KEY", "") == ""


@pytest.mark.parametrize(
    "name", ["PASSES", "TOKENS", "API_KEYS", "PINS", "DB_PASS2", "dbPass", "AWS_SIGNATURE", "Seeds"]
)
def test_a_plural_or_a_number_does_not_hide_a_secret(name: str) -> None:
    assert masked(name, "x") == MASK


@pytest.mark.parametrize("name", ["PASSS", "TOKENIZERS", "ADDRESS", "CLASS", "COMPASSION"])
def test_a_word_that_ends_alike_is_no_plural_of_a_secret(name: str) -> None:
    assert masked(name, "x") == "x"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://a:b:c@host", f"https://a:{MASK}@host"),
        ("a://b:c@d://e", f"a://b:{MASK}@d://e"),
        ("redis://auth:6379", "redis://auth:6379"),
        ('{"token": "x"}', MASK),
        ("token: x", MASK),
        ("--pass x", MASK),
        ("-password x", MASK),
        ("--db-password x", MASK),
        ("key=x", MASK),
        ("Basic x", MASK),
        ("a,b:abcdefgh12345678", MASK),
        ("abcdefgh/12345678", "abcdefgh/12345678"),
        ("abcdefgh.12345678", "abcdefgh.12345678"),
        ("abcdefgh+12345678", "abcdefgh+12345678"),
        ("abcdefgh@12345678", "abcdefgh@12345678"),
    ],
)
def test_only_what_may_be_secret_is_masked(value: str, shown: str) -> None:
    assert masked("COLOR", value) == shown
