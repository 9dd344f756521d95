"""A line as a shell sees it: its simple commands, their words and programs, its bash syntax and open quotes."""

from __future__ import annotations

import pytest

from procman.core.procfile.shell_line import ShellLine, base_name, is_assignment


def commands(text: str) -> list[str]:
    """Return each command as the operator before it, its words in brackets, and the operator after it."""
    return [
        f"{one.before}{''.join(f'[{word.text}]' for word in one.words)}{one.after}" for one in ShellLine(text).commands
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t ", []),
        ("# nothing", []),
        ("a", ["[a]"]),
        ("a  b\tc ", ["[a][b][c]"]),
        ("a#b #c d", ["[a#b]"]),
        ("a;#b", ["[a];"]),
        ("a && b || c", ["[a]&&", "&&[b]||", "||[c]"]),
        ("a&&b;c&", ["[a]&&", "&&[b];", ";[c]&"]),
        ("a | b |& c", ["[a]|", "|[b]|&", "|&[c]"]),
        ("(a; b) & c", ["([a];", ";[b])", "&[c]"]),
        ("a;; b", ["[a];;", ";;[b]"]),
        ("'a b' \"c d\"", ["[a b][c d]"]),
        ("a'b'\"c\"d", ["[abcd]"]),
        ("'' \"\"", ["[][]"]),
        ("a\\ b\\\\", ["[a b\\]"]),
        ("a\\;b", ["[a;b]"]),
        ('"a\\"b" c', ['[a\\"b][c]']),
        ("'a\\' b", ["[a\\][b]"]),
        ('"$(echo "x y")" z', ['[$(echo "x y")][z]']),
        ("$(a; b) c", ["[$(a; b)][c]"]),
        ("$(a '(' b) c", ["[$(a '(' b)][c]"]),
        ("$(a \\) b) c", ["[$(a \\) b)][c]"]),
        ("$(a (b) c) d", ["[$(a (b) c)][d]"]),
        ("$(a; b", ["[$(a; b]"]),
        ("${a:-b c} d", ["[${a:-b c}][d]"]),
        ("${a:-b", ["[${a:-b]"]),
        ("`a b` c", ["[`a b`][c]"]),
        ("`a b", ["[`a b]"]),
        ("$a$b", ["[$a$b]"]),
        ("a > b c", ["[a][c]"]),
        ("a >b 2>&1 c", ["[a][c]"]),
        ("a 2> b", ["[a]"]),
        ("a '2'> b", ["[a][2]"]),
        ("a x2> b", ["[a][x2]"]),
        ("> a b", ["[b]"]),
        ("a >> b << c <&3 d", ["[a][d]"]),
        ("a > ; b", ["[a];", ";[b]"]),
        ("a <(b c) d", ["[a][d]"]),
        ("a <(b", ["[a]"]),
    ],
)
def test_a_line_is_split_as_a_shell_would(text: str, expected: list[str]) -> None:
    assert commands(text) == expected


def test_each_word_knows_where_it_is_and_what_is_odd_in_it() -> None:
    (one,) = ShellLine("a 'b' c“d–\"é\" $é").commands
    assert [(word.offset, word.text, word.quoted, word.odd) for word in one.words] == [
        (0, "a", False, []),
        (2, "b", True, []),
        (6, "c“d–é", True, [7, 9]),
        (14, "$é", False, [15]),
    ]


@pytest.mark.parametrize(
    ("text", "note", "quote"),
    [
        ("a b", 3, None),
        ("a # b", 2, None),
        ("a#b", 3, None),
        ("'a' \"b\"", 7, None),
        ("a 'b c", 6, 2),
        ('a "b c', 6, 2),
        ('a "b\\"', 6, 2),
        ("a \"b'\" 'c", 9, 7),
        ('"$(a ")"', 8, 0),
        ('"${a', 4, 0),
    ],
)
def test_comments_and_open_quotes_are_found(text: str, note: int, quote: int | None) -> None:
    line = ShellLine(text)
    assert (line.note, line.open_quote) == (note, quote)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a &> b", [(2, "&>")]),
        ("a &>> b", [(2, "&>>")]),
        ("a <<< b", [(2, "<<<")]),
        ("a <(b) >(c)", [(2, "<("), (7, ">(")]),
        ("a |& b", [(2, "|&")]),
        ("x=(a b)", [(0, "x=(")]),
        ("((a))", [(0, "((")]),
        ("a ((b))", [(2, "((")]),
        ("a > b 2>&1 < c << d >> e", []),
        ("a >(b", [(2, ">(")]),
        ("a x(b)", []),
        ("=(a)", []),
        ("(a)", []),
        ("a >>(b)", []),
    ],
)
def test_bash_syntax_is_found(text: str, found: list[tuple[int, str]]) -> None:
    assert ShellLine(text).bash == found


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("web -p 1", ["web", "-p", "1"]),
        ("/usr/sbin/php-fpm8.2 -F", ["php-fpm", "-F"]),
        ("A=1 B=2 web", ["web"]),
        ("A=1", []),
        ("! web", ["web"]),
        ("if web", ["web"]),
        ("then { while A=1 web", ["web"]),
        ("done web", []),
        ("fi", []),
        ("exec env A=1 web x", ["web", "x"]),
        ("nice -n 5 web", ["web"]),
        ("nice -5 web", ["web"]),
        ("sudo -u app -- web -x", ["web", "-x"]),
        ("sudo --", []),
        ("sudo -u", []),
        ("nohup", []),
        ("bundle exec web", ["web"]),
        ("bundle exec -- web", ["web"]),
        ("bundle --gemfile x exec web", ["bundle", "--gemfile", "x", "exec", "web"]),
        ("bundle install", ["bundle", "install"]),
        ("bundle", ["bundle"]),
        ("poetry run web", ["web"]),
        ("uv --project x run --with y web", ["web"]),
        ("npm exec web", ["web"]),
        ("npm start", ["npm", "start"]),
        ("timeout 5 web", ["web"]),
        ("timeout -k 1 5 web", ["web"]),
        ("timeout 5", []),
        ("gosu app web", ["web"]),
        ("python app.py x", ["app.py", "x"]),
        ("python3.11 -u app.py", ["app.py"]),
        ("python -W ignore -X dev app.py", ["app.py"]),
        ("python -m web x", ["web", "x"]),
        ("python -m", ["python", "-m"]),
        ("python -c code web", ["python", "-c", "code", "web"]),
        ("python", ["python"]),
        ("python -u", ["python", "-u"]),
        ("ruby -I lib -r x web.rb", ["web.rb"]),
        ("php -d a=1 artisan", ["artisan"]),
        ("php -S x:1 index.php", ["php", "-S", "x:1", "index.php"]),
        ("node - web", ["node", "-", "web"]),
        ("env sudo -n nice python -m web", ["web"]),
    ],
)
def test_the_program_is_behind_assignments_and_launchers(text: str, program: list[str]) -> None:
    (one,) = ShellLine(text).commands
    assert one.program() == program
    if program:
        assert one.program_at() == len(one.words) - len(program)
    else:
        assert one.program_at() == len(one.words)


@pytest.mark.parametrize(
    ("text", "foreground"),
    [
        ("", []),
        ("a", ["a"]),
        ("a; b", ["b"]),
        ("a && b", ["b"]),
        ("a & b & c", ["c"]),
        ("a | b", ["a", "b"]),
        ("a; b | c |& d", ["b", "c", "d"]),
        ("a || b", ["a", "b"]),
        ("a && echo up", ["a"]),
        ("a; true; exit", ["a"]),
        ("echo up", ["echo"]),
        ("echo up; printf x", ["echo"]),
        ("a | b; echo", ["a", "b"]),
        ("if a; then b; fi", []),
        ("{ a; }", []),
        ("while a; do b; done | c", []),
    ],
)
def test_the_shell_waits_for_the_last_pipeline_that_does_something(text: str, foreground: list[str]) -> None:
    assert [one.words[0].text for one in ShellLine(text).foreground()] == foreground


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("web", "web"),
        ("/usr/bin/web", "web"),
        ("python3.11", "python"),
        ("php-fpm8.2", "php-fpm"),
        ("php-8.2", "php"),
        ("bin/rails", "rails"),
        ("42", "42"),
        ("./", ""),
    ],
)
def test_a_program_has_a_name_without_folder_and_version(text: str, name: str) -> None:
    assert base_name(text) == name


@pytest.mark.parametrize(
    ("word", "sets"),
    [("A=1", True), ("a_1=", True), ("A", False), ("=1", False), ("a-b=1", False), ("--x=1", False), ("A=b=c", True)],
)
def test_a_word_that_sets_a_variable(word: str, sets: bool) -> None:
    assert is_assignment(word) is sets
