"""Servers that misbehave in one way each, on ports of their own, and one that keeps a record."""
import hashlib
import http.server
import multiprocessing
import socket
import socketserver
import threading
import urllib.parse


class ClosedPort:
    """Nobody listens: connections are refused."""

    def __init__(self):
        # Bound, so that nobody else gets the port, but never listening.
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.endpoint = "http://127.0.0.1:%d" % self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


class Silent:
    """Accepts connections and never answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.endpoint = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.connections.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self):
        self.socket.close()
        for connection in self.connections:
            connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            return
        status, headers, reply = self.server.owner.respond(self.command, self.path, self.headers, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        pass  # a client that went away is no news


class Http:
    """Base of those that speak HTTP; respond() says what."""

    def __init__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class SlowDown(Http):
    """Refuses everything with 503, as S3 does when it is asked too much."""

    def respond(self, method, path, headers, body):
        code = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return 503, {"Content-Type": "application/xml"}, code.encode()


class Html(Http):
    """A captive portal: says 200 and shows a web page."""

    def respond(self, method, path, headers, body):
        return 200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>"


class Recorder(Http):
    """Stores whatever is put, without asking who; counts how often. `mode` may be switched."""

    def __init__(self, mode="well"):
        self.mode = mode
        self.objects = {}
        self.puts = {}
        self.lock = threading.Lock()
        super().__init__()

    def respond(self, method, path, headers, body):
        if self.mode != "well":
            return 503, {"Content-Type": "application/xml"}, b"<Error><Code>ServiceUnavailable</Code></Error>"
        key = urllib.parse.unquote(path)
        if method != "PUT":
            return (200 if key in self.objects else 404), {"ETag": '"0"'}, b""
        with self.lock:
            self.objects[key] = body
            self.puts[key] = self.puts.get(key, 0) + 1
        return 200, {"ETag": '"%s"' % hashlib.md5(body).hexdigest()}, b""


class Apart:
    """A server in a process of its own, so that measuring one does not wait for what another does."""

    def __init__(self, kind, *arguments):
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=serve_apart, args=(kind, arguments, theirs), daemon=True)
        self.process.start()
        self.endpoint = self.ours.recv()

    def ask(self, method, *arguments):
        """What the server's method of that name returns."""
        self.ours.send((method, arguments))
        return self.ours.recv()

    def close(self):
        self.ours.close()
        self.process.join()


def serve_apart(kind, arguments, commands):
    server = kind(*arguments)
    commands.send(server.endpoint)
    while True:
        try:
            method, arguments = commands.recv()
        except EOFError:
            return
        commands.send(getattr(server, method)(*arguments))
