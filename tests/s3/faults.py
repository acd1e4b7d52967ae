"""A proxy before an S3 server that lets requests fail, once each or at random.

    with FaultProxy(s3.port) as proxy:
        env = server.environment(proxy.endpoint)
        proxy.fail("lost", method="PUT", has="/state/")      # the next such request, or
        proxy.fail("slow_down", nth=3, count=2)              # the third and fourth from now
        proxy.at_random(seed=7, share=0.1)                   # one in ten, of all kinds
        proxy.down = True                                    # nothing gets through

| kind | what the client sees |
|---|---|
| error | 500 InternalError, nothing done |
| slow_down | 503 SlowDown, nothing done |
| cut | the connection ends before an answer, nothing done |
| lost | the request is carried out, then the connection ends without an answer |
| hang | the request is carried out, then there is no answer for `hang_s` |
| truncate | half of the answer's body, then the end |
| drip | the answer's body a byte at a time, each 0.2 s |
| precondition | 412, nothing done |
| forbidden | 403 AccessDenied, nothing done |

Signatures cover the host, so requests are passed on with the Host header they came with. They are
checked on the way: `proxy.badly_signed` is the list of what is wrong with them.
"""
import http.client
import http.server
import random
import socket
import ssl
import sys
import threading
import time

import signature
from server import SECRET_KEY

ANSWERS = {"error": (500, "InternalError"), "slow_down": (503, "SlowDown"),
           "precondition": (412, "PreconditionFailed"), "forbidden": (403, "AccessDenied")}
PASSING = ["error", "slow_down", "cut", "lost", "truncate"]  # what a client gets over quickly
SKIPPED = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Rule:
    def __init__(self, kind, method, has, nth, count):
        self.kind, self.method, self.has, self.nth, self.count = kind, method, has, nth, count

    def meets(self, method, path):
        """The kind of fault of this request, or None; counts it."""
        if self.method not in (None, method) or self.has not in path or not self.count:
            return None
        self.nth -= 1
        if self.nth > 0:
            return None
        self.count -= 1
        return self.kind


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that is killed is none."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class FaultProxy:
    def __init__(self, port, hang_s=60, certificate=None):
        """Before the server on this port of this machine. `certificate`: (certificate, key), PEM: clients
        are to speak TLS."""
        self.upstream = port
        self.hang_s = hang_s
        self.down = False
        self.requests = []  # (method, path, kind of fault or None)
        self.badly_signed = []
        self.rules, self.lock = [], threading.Lock()
        self.random, self.share = None, 0
        self.closed = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.proxy = self
        self.port = self.server.server_address[1]
        self.endpoint = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()

    def fail(self, kind, method=None, has="", nth=1, count=1):
        with self.lock:
            self.rules.append(Rule(kind, method, has, nth, count))

    def at_random(self, seed, share):
        with self.lock:
            self.random, self.share = random.Random(seed), share

    def quiet(self):
        """No more faults."""
        with self.lock:
            self.rules, self.share, self.down = [], 0, False

    def fault_of(self, method, path):
        with self.lock:
            kind = "cut" if self.down else None
            for rule in self.rules:
                kind = kind or rule.meets(method, path)
            if not kind and self.share and self.random.random() < self.share:
                kind = self.random.choice(PASSING)
            self.requests.append((method, path, kind))
            return kind


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer leave together: no waiting for acknowledgements

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        """The body is asked for at once, not when the buffer is full."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def handle_any(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wrong = signature.fault_of(self.command, self.path, self.headers.items(), body, SECRET_KEY)
        if wrong:
            proxy.badly_signed.append(wrong)
        kind = proxy.fault_of(self.command, self.path)
        if kind == "cut":
            return self.end()
        if kind in ANSWERS:
            return self.answer(*refusal(kind))
        status, headers, data = self.pass_on(body)
        if kind == "hang":
            proxy.closed.wait(proxy.hang_s)
        if kind in ("lost", "hang"):
            return self.end()
        self.answer(status, headers, data, kind)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = handle_any

    def pass_on(self, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.upstream, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def answer(self, status, headers, data, kind=None):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in SKIPPED:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if kind == "drip":
            return self.drip(data)
        self.wfile.write(data[:len(data) // 2] if kind == "truncate" else data)
        self.wfile.flush()
        if kind == "truncate":
            self.end()

    def drip(self, data):
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.2)

    def end(self):
        """End the connection without another word."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # the client has gone away, or the server behind is down


def refusal(kind):
    status, code = ANSWERS[kind]
    text = f"<Error><Code>{code}</Code><Message>a test lets this fail</Message></Error>"
    return status, [("Content-Type", "application/xml")], text.encode()
