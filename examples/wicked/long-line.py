"""Write one line of five million characters."""

from __future__ import annotations

import sys


def main() -> None:
    sys.stdout.write("begin ")
    for _ in range(500):
        sys.stdout.write("x" * 10_000)
    sys.stdout.write(" end\n")


if __name__ == "__main__":
    main()
