"""Write numbered lines as fast as possible: FLOOD_LINES of them (50000 by default), or endlessly if that is 0."""

from __future__ import annotations

import itertools
import os
import sys

LINES = int(os.environ.get("FLOOD_LINES", "50000"))


def main() -> None:
    numbers = range(LINES) if LINES else itertools.count()
    for number in numbers:
        sys.stdout.write(f"flood {number:08d} {'~' * 60}\n")


if __name__ == "__main__":
    main()
