"""Keep jobs and counters in memory, for the other processes. A real application would use Redis or PostgreSQL.

A request is a line: PUSH TEXT, POP, ADD NAME or GET NAME. So is its answer.
"""

import os
import signal
import socketserver
import sys
import threading
from collections import Counter, deque

jobs = deque()
counters = Counter()
lock = threading.Lock()


class Client(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            verb, _, text = line.decode().rstrip("\n").partition(" ")
            with lock:
                answer = self.answer(verb, text)
            self.wfile.write(f"{answer}\n".encode())

    def answer(self, verb, text):
        if verb == "PUSH":
            jobs.append(text)
            return len(jobs)
        if verb == "POP":
            return jobs.popleft() if jobs else ""
        if verb == "ADD":
            counters[text] += 1
        return counters[text]


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Server(("", int(os.environ["PORT"])), Client) as server:
    print(f"{os.environ['PS']} listens", flush=True)
    server.serve_forever()
