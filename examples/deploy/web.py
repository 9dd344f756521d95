"""Take jobs: POST a line to /jobs. GET / says which instance answers, and how many jobs are done."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from store_client import Store


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            self.reply({"ok": True})
        else:
            self.reply({"instance": os.environ["PS"], "done": int(Store()("GET done"))})

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.reply({"waiting": int(Store()(f"PUSH {' '.join(text.split())}"))}, 202)

    def reply(self, record, status=200):
        body = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, text, *arguments):
        if self.path != "/health":
            print(text % arguments, flush=True)


server = ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
# shutdown() waits for serve_forever(), which this thread has to return to.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"{os.environ['PS']} listens on {os.environ['PORT']}", flush=True)
server.serve_forever()
print(f"{os.environ['PS']} has answered everything", flush=True)
