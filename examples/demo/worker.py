"""A baker: asks the shop for an order, bakes it, and asks for the next one."""

from __future__ import annotations

import os
import sys
import time

import shop

BURN = int(os.environ.get("BURN", "0"))  # every BURN-th loaf burns; 0 for never


def main() -> None:
    shop.end_at_term()
    me = os.environ.get("PS", "worker")
    print("the oven is hot")
    while True:
        order = shop.ask("/take", by=me)
        if not order:
            time.sleep(0.2)
            continue
        bake(int(str(order["number"])), str(order["bread"]))


def bake(number: int, bread: str) -> None:
    """Bake one loaf."""
    print(f"baking {bread} (order {number})")
    time.sleep(1.5)
    if BURN and number % BURN == 0:
        shop.ask("/done", number=number, state="burned")
        sys.exit(f"smoke! {bread} is burned")
    shop.ask("/done", number=number, state="baked")
    print(f"\033[32mready\033[0m: {bread} (order {number})")


if __name__ == "__main__":
    main()
