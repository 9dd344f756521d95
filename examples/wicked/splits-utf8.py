"""Write a line byte by byte, so that every character of two, three or four bytes is cut in the middle."""

from __future__ import annotations

import sys
import time

LINE = "split: ä € 🍞 done\n"


def main() -> None:
    for byte in LINE.encode():
        sys.stdout.buffer.write(bytes([byte]))
        sys.stdout.buffer.flush()
        time.sleep(0.005)


if __name__ == "__main__":
    main()
