"""Send requests to the store, and try again while it is away."""

import os
import socket
import time


class Store:
    def __init__(self):
        self.address = os.environ.get("STORE_HOST", "localhost"), int(os.environ["PROCMAN_STORE_PORT"])
        self.file = None

    def __call__(self, request):
        while True:
            try:
                if self.file is None:
                    self.file = socket.create_connection(self.address, timeout=5).makefile("rw")
                self.file.write(f"{request}\n")
                self.file.flush()
                answer = self.file.readline()
                if answer:
                    return answer.rstrip("\n")
                raise ConnectionError("the store has closed the connection")
            except OSError as error:
                print(f"the store at {self.address[0]} does not answer: {error}", flush=True)
                self.file = None
                time.sleep(1)
