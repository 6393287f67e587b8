"""Serve `/metrics` and `/health` over HTTP, on this machine only unless told otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from broker.errors import SettingsError

LOOPBACK = "127.0.0.1"
Health = Callable[[], tuple[bool, str]]


@contextmanager
def serve(port: int, collector: Collector, health: Health, *, host: str = LOOPBACK) -> Iterator[int]:
    """Serve until left; give the port, which Prometheus scrapes (0 lets the machine choose one).

    Raises SettingsError when the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server = ThreadingHTTPServer((host, port), _handler(registry, health))
    except OSError as error:
        raise SettingsError(
            f"metrics port {port}: {error.strerror or 'cannot be opened'}: choose another, or 0 for any"
        ) from error
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(registry: CollectorRegistry, health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET only; logs nothing."""

        server_version = "broker"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer one request."""
            if self.path.startswith("/metrics"):
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path.startswith("/health"):
                well, words = health()
                self._answer(200 if well else 503, "text/plain; charset=utf-8", words.encode())
            else:
                self._answer(404, "text/plain; charset=utf-8", b"here are /metrics and /health\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Write no access log."""

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
