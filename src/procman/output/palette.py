"""Colors: whether to use them, and which process type has which."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER = ("CYAN", "GREEN", "MAGENTA", "BLUE", "RED", "YELLOW")  # yellow is hard to read on white


def wants_color(wish: bool | None, environ: Mapping[str, str], isatty: bool) -> bool:
    """Whether to use colors: the user's wish, then NO_COLOR, then FORCE_COLOR, then whether stdout is a terminal.

    CLICOLOR=0 switches colors off unless they are forced (http://bixense.com/clicolors/).
    """
    if wish is not None:
        return wish
    if environ.get("NO_COLOR"):
        return False  # https://no-color.org: any value that is not empty
    forced = environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE")
    if forced:
        return forced.lower() not in ("0", "false")
    return isatty and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def refuses_color(wish: bool | None, environ: Mapping[str, str]) -> bool:
    """Whether the user refused colors, so that those of children are taken out too."""
    return wish is False or (wish is None and bool(environ.get("NO_COLOR")))


class Palette:
    """The color codes of one session; all of them are empty if colors are off.

    They are looked up at their first use. Importing colorama takes half as long as all other imports of a start
    together, and the first child need not wait for it.
    """

    __slots__ = ("_types", "bold", "colored", "dim", "failure", "good", "reset", "warning")

    _types: tuple[str, ...]
    bold: str
    dim: str
    failure: str
    good: str
    reset: str
    warning: str

    def __init__(self, colored: bool) -> None:
        self.colored = colored

    def of(self, index: int) -> str:
        """Return the color of the process type with this index in the Procfile, counted from 0."""
        return self._types[index % len(self._types)]

    def __getattr__(self, code: str) -> object:
        """Fill in all codes; Python calls this for an attribute that is not set yet."""
        if self.colored:
            self._fill()
        else:
            self._types = ("",)
            self.reset = self.bold = self.dim = self.failure = self.good = self.warning = ""
        return object.__getattribute__(self, code)

    def _fill(self) -> None:
        from colorama import Fore, Style

        plain = [str(getattr(Fore, color)) for color in ORDER]
        bright = [str(getattr(Fore, f"LIGHT{color}_EX")) for color in ORDER]
        self._types = tuple(plain + bright)
        self.reset, self.bold, self.dim = Style.RESET_ALL, Style.BRIGHT, Style.DIM
        self.failure, self.good, self.warning = Fore.RED, Fore.GREEN, Fore.YELLOW
