"""TLS certificates for tests, made by openssl: an authority, a server and a client certificate that it signed."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class Certificates:
    """PEM files in `folder`: `authority`, `server` and `server_key` (for 127.0.0.1 and localhost), `client_file` and `client_key`."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True)
        self.folder, self.authority = folder, folder / "authority.pem"
        self._openssl("authority", "-subj", "/CN=Test authority", "-addext", "basicConstraints=critical,CA:TRUE")
        self.server, self.server_key = self._signed("server", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self.client_file, self.client_key = self._signed("client", "subjectAltName=DNS:scanner.example")

    def _openssl(self, name: str, *words: str) -> None:
        command = ["openssl", "req", "-x509", *KEY, "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem", *words]
        subprocess.run(command, check=True, capture_output=True)

    def _signed(self, name: str, extension: str) -> tuple[Path, Path]:
        by = ("-CA", str(self.authority), "-CAkey", str(self.folder / "authority.key"))
        self._openssl(name, "-subj", f"/CN={name}", "-addext", extension, *by)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def client(self, own: bool = False) -> ssl.SSLContext:
        """What a sender uses that trusts the authority; own: and shows the client certificate."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.check_hostname = False
        if own:
            context.load_cert_chain(self.client_file, self.client_key)
        return context
