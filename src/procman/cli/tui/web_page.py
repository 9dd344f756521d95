"""The page on which a browser draws the screen. It loads nothing from anywhere else."""

from __future__ import annotations

from html import escape

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{static}css/xterm.css">
<style>
@font-face {{ font-family: "Roboto Mono"; src: url("{static}fonts/RobotoMono-VariableFont_wght.ttf"); }}
body {{ margin: 0; overflow: hidden; background: #000; color: #ddd; font: 16px "Roboto Mono", monospace; }}
#terminal {{ width: 100vw; height: 100vh; }}
.closed {{ display: none; position: absolute; inset: 0; z-index: 10; background: #000; padding: 2em; }}
body.-closed .closed {{ display: block; }}
</style>
<script src="{static}js/textual.js"></script>
</head>
<body>
<div class="closed">You have left the screen; the session continues. Load this page again to come back.</div>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{socket}" data-font-size="16"></div>
</body>
</html>
"""


def page(title: str, static: str, socket: str) -> str:
    """Return the page. ``static`` is the address of the fonts and scripts, ``socket`` that of the terminal."""
    return _PAGE.format(title=escape(title), static=escape(static), socket=escape(socket))


def policy(socket: str) -> str:
    """Return the Content-Security-Policy of the page: only its own scripts, fonts and terminal."""
    own = "script-src 'self'; font-src 'self'; img-src 'self' data:"
    return f"default-src 'none'; {own}; style-src 'self' 'unsafe-inline'; connect-src 'self' {socket}"
