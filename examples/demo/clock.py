"""The clock: orders a loaf every three seconds."""

from __future__ import annotations

import itertools
import time

import shop

BREADS = ("rye bread", "baguette", "ciabatta", "pretzel", "focaccia", "brioche")


def main() -> None:
    shop.end_at_term()
    print("one order every three seconds")
    for bread in itertools.cycle(BREADS):
        shop.ask("/order", bread=bread)
        time.sleep(3)


if __name__ == "__main__":
    main()
