"""A connection to PostgreSQL that breaks off after a commit, before its answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import make_url

CHUNK = 65_536


@dataclass
class Thief:
    """What lies between a service and its database, at ``url``.

    While it is armed it breaks off the connection that inserts into a table, once: between the commit and its
    answer.
    """

    url: str
    taken: threading.Event = field(default_factory=threading.Event)
    _wanted: bytes | None = None

    def arm(self, table: str) -> None:
        self._wanted = f"INSERT INTO {table} ".encode()
        self.taken.clear()

    def serve(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what both say, until one of them closes."""
        breaking = threading.Event()
        threading.Thread(target=self._answer, args=(server, client, breaking), daemon=True).start()
        inserting = False
        with client, server, suppress(OSError):
            while data := client.recv(CHUNK):
                inserting = inserting or (self._wanted is not None and self._wanted in data)
                if inserting and b"COMMIT" in data:
                    self._wanted = None
                    breaking.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, breaking: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                if breaking.is_set():
                    self.taken.set()
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def losing_commits(database_url: str) -> Iterator[Thief]:
    """A thief before the PostgreSQL of a URL, which names the folder of its socket."""
    url = make_url(database_url)
    path = f"{url.query['host']}/.s.PGSQL.{url.query['port']}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        between = url.set(host="127.0.0.1", port=port, query={})
        thief = Thief(between.render_as_string(hide_password=False))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(path)
                    threading.Thread(target=thief.serve, args=(client, server), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield thief
