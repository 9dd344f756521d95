"""Whatever a grammar's escape function writes, a reader of that grammar reads back."""

from __future__ import annotations

import json
import plistlib
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.errors import UsageError
from procman.export import grammar
from procman.export.grammar import GrammarError

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NASTY = st.text("ab \t\n\r\\\"'`$%#;={}<>&/\x01\x7f\u2028é🚀")
ANY = TEXTS | NASTY


@given(st.lists(NASTY, min_size=1, max_size=20))
def test_sh(values: list[str]) -> None:
    words = " ".join(grammar.sh(value) for value in values)
    out = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True).stdout
    assert out.decode().split("\0")[:-1] == values


def systemd_unquoted(text: str) -> str:
    """A quoted word of a unit as systemd.service(5) and systemd.syntax(7) describe it."""
    assert text[0] == text[-1] == '"'
    escapes = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}
    pattern = r'\\x([0-9a-f]{2})|\\(.)|(["\\])'

    def read(found: re.Match[str]) -> str:
        assert not found[3], "a bare quote or backslash ends the word"
        return chr(int(found[1], 16)) if found[1] else escapes[found[2]]

    inner = re.sub(pattern, read, text[1:-1])
    assert not re.search(r"(?<!%)(%%)*%(?!%)|(?<!\$)(\$\$)*\$(?!\$)", inner)
    return inner.replace("%%", "%").replace("$$", "$")


@given(ANY)
def test_systemd_word(value: str) -> None:
    written = grammar.systemd_word(value)
    assert "\n" not in written
    assert systemd_unquoted(written) == value


@given(ANY)
def test_systemd_environment(value: str) -> None:
    written = grammar.systemd_environment(value)
    if written.startswith('"'):
        assert re.fullmatch(r'"(?:[^"\\$`]|\\["\\$`])*"', written, re.DOTALL)
        written = re.sub(r'\\(["\\$`])', r"\1", written[1:-1])
    assert written == value


@given(ANY)
def test_yaml(value: str) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(grammar.yaml(value)) == value
    assert yaml.safe_load(f"a: {grammar.yaml_name(value)}") == {"a": value}


@given(ANY)
def test_compose_doubles_every_dollar(value: str) -> None:
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load(grammar.compose(value))
    assert re.sub(r"\$(.)", r"\1", read, flags=re.DOTALL) == value


@given(st.text('{}"a-. $'))
def test_swarm_leaves_no_template_but_its_own(value: str) -> None:
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load(grammar.swarm(value)).replace("$$", "$")
    assert "{{" not in read.replace('{{"{{"}}', "")
    assert read.replace('{{"{{"}}', "{{") == value


@given(ANY)
def test_hcl(value: str) -> None:
    written = grammar.hcl(value)
    assert "\n" not in written
    assert not re.search(r"(?<![$])(\$\$)*\$\{|(?<!%)(%%)*%\{", written.replace("$${", "").replace("%%{", ""))
    plain = written.replace("$${", "${").replace("%%{", "%{")
    assert json.loads(re.sub(r"\\U([0-9a-f]{8})", _surrogates, plain), strict=False) == value


def _surrogates(found: re.Match[str]) -> str:
    return json.dumps(chr(int(found[1], 16)))[1:-1]


@given(ANY)
def test_nomad_environment(value: str) -> None:
    written = grammar.nomad_environment(value)
    assert "\n" not in written
    assert (json.loads(written) if written.startswith('"') else written) == value


@given(ANY)
def test_xml(value: str) -> None:
    try:
        written = grammar.xml(value)
    except GrammarError:
        assert re.search("[\x00-\x08\x0b-\x0d\x0e-\x1f\ufffe\uffff]", value)
        return
    document = f'<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><string>{written}</string></plist>'
    assert plistlib.loads(document.encode()) == value


@given(ANY)
def test_docker_line_is_read_alike_by_both(value: str) -> None:
    """Docker takes the line as it stands; a dotenv would unquote, expand, trim and cut comments."""
    try:
        written = grammar.docker_line(value)
    except GrammarError:
        return
    assert written == value
    assert value.strip() == value
    assert not set(value) & set("$#\\'\"`\n\r")
    assert "{{" not in value


@given(ANY)
def test_supervisord(value: str) -> None:
    try:
        written = grammar.supervisord(value)
    except GrammarError:
        return
    assert written % {} == value
    assert not re.search(r"(^|\s)[;#]", written)


@pytest.mark.parametrize("bad", ["NUL\0", "half \ud800"])
def test_what_no_grammar_holds_is_refused_by_name(bad: str) -> None:
    with pytest.raises(UsageError, match="systemd cannot hold the value of TOKEN"):
        grammar.assignments({"TOKEN": bad}, "systemd", lambda name, value: f"{name}={value}")


@pytest.mark.parametrize("name", ["A-B", "1A", "Ä", "A B", "a.b"])
def test_a_name_that_no_shell_knows_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f'called "{name}"'):
        grammar.assignments({name: "x"}, "systemd", lambda key, value: f"{key}={value}")


@pytest.mark.parametrize("path", ["/srv/a\\", "/srv/a\nb", "/srv/a "])
def test_a_path_that_a_unit_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(GrammarError):
        grammar.systemd_path(path)
