"""Do jobs, one after the other. TERM lets it finish the one at hand."""

import hashlib
import os
import signal
import threading
import time

from store_client import Store

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
store = Store()
while not stopping.is_set():
    job = store("POP")
    if not job:
        time.sleep(0.2)
        continue
    signed = hashlib.sha256(f"{os.environ['SECRET_KEY']} {job}".encode()).hexdigest()
    time.sleep(0.1)
    store("ADD done")
    print(f"{os.environ['PS']} has done {job!r}: {signed[:8]}", flush=True)
print(f"{os.environ['PS']} leaves no job behind", flush=True)
