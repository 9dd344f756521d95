"""Queue a job regularly. There must be only one clock."""

import os
import time

from store_client import Store

store = Store()
while True:
    store(f"PUSH tick at {time.strftime('%H:%M:%S')}")
    time.sleep(float(os.environ.get("TICK", "60")))
