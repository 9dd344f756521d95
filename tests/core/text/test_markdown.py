"""Pages of the documentation as lines for a terminal."""

from __future__ import annotations

from procman.core.text.markdown import linked_pages, rendered, table_rows

PAGE = """\
# A page: with a title

A paragraph with a [link](other.md#part), **bold** words, `code that is
split` and ![a picture](pictures/x.svg) no picture.

- an item that is
  longer than its line
- another

<!-- not run: it would not end -->
```console
$ procman start   # `as it is`, however long the line of code may be

$ procman check
```

1. first
"""


def test_paragraphs_and_items_are_wrapped_and_code_is_not() -> None:
    assert rendered(PAGE, 40) == [
        "# A page: with a title",
        "",
        "A paragraph with a link, bold words,",
        "`code that is split` and  no picture.",
        "",
        "- an item that is longer than its line",
        "- another",
        "",
        "    $ procman start   # `as it is`, however long the line of code may be",
        "",
        "    $ procman check",
        "",
        "1. first",
    ]


def test_colors_replace_the_backticks_and_end_with_each_line() -> None:
    text = "# T\n\na `code that continues` b\n"
    lines = rendered(text, 12, heading=lambda title: f"<{title}>", code=lambda part: f"[{part}]")
    assert lines == ["<# T>", "", "a [code that]", "[continues] b"]


def test_a_table_that_fits_has_columns() -> None:
    table = "| flag | meaning |\n|---|---|\n| `-a` | all |\n| `--none` | a \\| b |\n"
    assert table_rows(table) == [["flag", "meaning"], ["`-a`", "all"], ["`--none`", "a | b"]]
    assert rendered(table, 40) == ["  flag      meaning", "  `-a`      all", "  `--none`  a | b"]


def test_a_table_without_titles_has_no_row_for_them() -> None:
    assert rendered("| page | |\n|---|---|\n| a | b |\n", 40) == ["  a     b"]


def test_a_wide_table_has_a_term_and_its_explanations_for_each_row() -> None:
    table = "| key | value | |\n|---|---|---|\n| `restart` | one of three strings | when it restarts |\n"
    assert rendered(table, 30) == [
        "  `restart`",
        "      value: one of three",
        "      strings",
        "      when it restarts",
    ]


def test_the_pages_that_are_linked_are_named_once() -> None:
    assert linked_pages("[`a[1]`](x.md), [b](x.md#y), [c](../z.md), [d](https://e.md), [f](g.md)") == ["x", "g"]
