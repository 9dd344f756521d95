"""What a grammar's escape function writes is what a reader of that grammar reads."""

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NASTY = st.text("ab \t\n\r\\\"'`$%#;={}<>&/\x01\x7f\u2028é🚀")
ANY = TEXTS | NASTY


@given(st.lists(NASTY, min_size=1, max_size=20))
def test_sh(values: list[str]) -> None:
    words = " ".join(grammar.sh(value) for value in values)
    out = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True).stdout
    assert out.decode().split("\0")[:-1] == values


def systemd_unquoted(text: str) -> str:
    """Read a quoted word of a unit as systemd.service(5) and systemd.syntax(7) describe it."""
    assert text[0] == text[-1] == '"'
    escapes = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}
    pattern = r'\\x([0-9a-f]{2})|\\(.)|(["\\])'

    def read(found: re.Match[str]) -> str:
        assert not found[3], "a bare quote or backslash ends the word"
        return chr(int(found[1], 16)) if found[1] else escapes[found[2]]

    inner = re.sub(pattern, read, text[1:-1])
    assert not re.search(r"(?<!%)(%%)*%(?!%)|(?<!\$)(\$\$)*\$(?!\$)", inner)
    return inner.replace("%%", "%").replace("$$", "$")


NONCHARACTERS = "".join(
    map(chr, (*range(0xFDD0, 0xFDF0), *(n * 0x10000 + m for n in range(17) for m in (0xFFFE, 0xFFFF))))
)
CHARACTERS = ANY.map(lambda value: "".join(character for character in value if character not in NONCHARACTERS))


@pytest.mark.parametrize("code", [0xFDD0, 0xFDEF, 0xFFFE, 0x1FFFF, 0x10FFFE])
def test_a_noncharacter_is_refused_for_systemd_by_the_name_of_its_variable(code: int) -> None:
    for write in (grammar.systemd_environment, grammar.systemd_word, grammar.systemd_path):
        assert not grammar.can_hold(write, f"a{chr(code)}b")
    with pytest.raises(UsageError, match=r"systemd cannot hold the value of TOKEN: it contains a noncharacter"):
        grammar.assignments({"TOKEN": chr(code)}, "systemd", lambda _, value: grammar.systemd_environment(value))


@given(CHARACTERS)
def test_systemd_word(value: str) -> None:
    written = grammar.systemd_word(value)
    assert "\n" not in written
    assert systemd_unquoted(written) == value


@given(CHARACTERS)
def test_systemd_environment(value: str) -> None:
    written = grammar.systemd_environment(value)
    if written.startswith('"'):
        assert re.fullmatch(r'"(?:[^"\\$`]|\\["\\$`])*"', written, re.DOTALL)
        written = re.sub(r'\\(["\\$`])', r"\1", written[1:-1])
    assert written == value


@given(ANY)
def test_yaml_scalars(value: str) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(grammar.yaml(value)) == value
    assert written_and_read(yaml, {"a": grammar.Plain(value)}) == {"a": value}


KEYS = ANY | st.sampled_from(("on", "No", "null", "app.kubernetes.io/name", "5s", "1.5s", "1e3"))
SCALARS = ANY | KEYS.map(grammar.Plain) | st.integers() | st.booleans()
NESTED = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS | st.lists(SCALARS).map(tuple),
        lambda inner: (
            st.lists(SCALARS | st.dictionaries(KEYS, inner, min_size=1), min_size=1)
            | st.dictionaries(KEYS, inner, min_size=1)
        ),
        max_leaves=10,
    ),
)


def written_and_read(yaml: ModuleType, data: dict[str, grammar.Yaml]) -> object:
    return yaml.safe_load("".join(f"{line}\n" for line in grammar.yaml_lines(data)))


def as_read(value: object) -> object:
    """Return the data as a YAML reader sees it: tuples are lists, and all strings are plain strings."""
    if isinstance(value, dict):
        return {str(key): as_read(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_read(inner) for inner in value]
    return str(value) if isinstance(value, str) else value


@given(NESTED)
def test_yaml_lines(data: dict[str, grammar.Yaml]) -> None:
    yaml = pytest.importorskip("yaml")
    assert written_and_read(yaml, data) == (as_read(data) or None)
    assert written_and_read(yaml, {"a note: with a colon": None, **data}) == (as_read(data) or None)


@given(ANY)
def test_no_expansion_doubles_every_dollar(value: str) -> None:
    assert re.sub(r"\$(.)", r"\1", grammar.no_expansion(value), flags=re.DOTALL) == value


@given(st.text('{}"a-. $'))
def test_swarm_leaves_no_template_but_its_own(value: str) -> None:
    read = grammar.swarm(value).replace("$$", "$")
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
    """Docker reads the line literally, while dotenv unquotes, expands, trims and removes comments."""
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


@pytest.mark.parametrize("line", ["END", "  END", "END "])
def test_lines_that_would_end_a_heredoc_of_hcl_are_a_quoted_template(line: str) -> None:
    assert grammar.hcl_lines(f"echo a\n{line}\necho b\n").count("\n") == 0
    assert grammar.hcl_lines("echo a\nECHO END\n") == "<<END\necho a\nECHO END\nEND"


@pytest.mark.parametrize("path", ["/srv/a\\", "/srv/a\nb", "/srv/a "])
def test_a_path_that_a_unit_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(GrammarError):
        grammar.systemd_path(path)
