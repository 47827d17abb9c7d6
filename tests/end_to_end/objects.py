"""Reads what the layout "batch" writes, with nothing of Firehose's: zlib for gzip, libzstd for zstd."""
import ctypes
import ctypes.util
import http.server
import threading
import zlib


def gunzip(data):
    """One gzip member and nothing behind it: readers that stop after the first must not lose anything."""
    unpacker = zlib.decompressobj(wbits=31)
    out = unpacker.decompress(data) + unpacker.flush()
    if not unpacker.eof or unpacker.unused_data:
        raise AssertionError("not exactly one whole gzip member")
    return out


class _In(ctypes.Structure):
    _fields_ = [("src", ctypes.c_char_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


class _Out(ctypes.Structure):
    _fields_ = [("dst", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def unzstd(data):
    """All frames, checksums verified."""
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_createDStream.restype = ctypes.c_void_p
    lib.ZSTD_decompressStream.restype = ctypes.c_size_t
    lib.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Out), ctypes.POINTER(_In)]
    lib.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
    stream = lib.ZSTD_createDStream()
    room = ctypes.create_string_buffer(1 << 20)
    source = _In(data, len(data), 0)
    pieces, left = [], 0
    while True:
        target = _Out(ctypes.cast(room, ctypes.c_void_p), len(room), 0)
        left = lib.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
        if lib.ZSTD_isError(ctypes.c_size_t(left)):
            raise AssertionError("not zstd")
        pieces.append(room.raw[: target.pos])
        if source.pos == source.size and target.pos < target.size:
            break
    lib.ZSTD_freeDStream(stream)
    if left:
        raise AssertionError("the last zstd frame is cut")
    return b"".join(pieces)


def unpack(key, data):
    if key.endswith(".gz"):
        return gunzip(data)
    return unzstd(data) if key.endswith(".zst") else data


def lines_in(objects):
    """Of all objects, by key, without their ends; each object ends with a line."""
    found = []
    for key, data in objects.items():
        text = unpack(key, data)
        if not text.endswith(b"\n"):
            raise AssertionError(f"{key} ends within a line")
        found += text.split(b"\n")[:-1]
    return found


class Sink(http.server.ThreadingHTTPServer):
    """Takes PUTs like an S3 server that checks no signatures; refuses the first `refusals` of them."""

    daemon_threads = True
    request_queue_size = 256  # connections that come at once

    def __init__(self, refusals=0):
        self.objects, self.headers, self.refusals, self.lock = {}, {}, refusals, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        """Clients are killed."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            refused = self.server.refusals > 0
            self.server.refusals -= refused
            if not refused:
                self.server.objects.setdefault(self.path, []).append(body)
                self.server.headers[self.path] = dict(self.headers.items())
        self.send_response(503 if refused else 200)
        self.send_header("ETag", '"x"')
        self.send_header("x-amz-request-id", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass
