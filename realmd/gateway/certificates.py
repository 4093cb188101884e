"""The certificate with which the daemon itself speaks TLS; replaced while it runs."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.logger import Logger
from zope.interface import implementer

from ..host.clock import time_of_day
from ..host.secrets import ExposedSecret, read_secret
from ..primitives.figures import Figures
from ..settings.server import Server

#: A certificate that ends so soon (s) is worth a line in the log.
SOON: Final = 7 * 86_400


class CertificateError(Exception):
    """A certificate and key that cannot be used; the text says why."""


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """Gives each new connection the newest good certificate; those that are open keep theirs.

    `certificate` is a PEM file, the server's own certificate first and then what signed it;
    `key` is the PEM file of its private key, which nobody else may read.  `CertificateError` if
    they cannot be used.
    """

    _log = Logger()

    def __init__(self, certificate: Path, key: Path, clock: IReactorTime) -> None:
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self.reloads = self.failures = 0
        self.expires = 0.0
        self._seen = self._state()
        self._context = self._load()

    @classmethod
    def of(cls, server: Server, clock: IReactorTime) -> Certificates | None:
        """What the settings ask for; None: no TLS."""
        if not server.tls_certificate:
            return None
        certificate, key = (
            Path(os.path.expanduser(path)).absolute() for path in (server.tls_certificate, server.tls_key)
        )
        return cls(certificate, key, clock)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def look(self, _: int = 1) -> None:
        """Load the files again if they have changed since they were last read."""
        if self._state() != self._seen:
            self.reload()

    def reload(self) -> None:
        """Load the files again; what cannot be used leaves the old certificate in force."""
        self._seen = self._state()
        try:
            self._context = self._load()
        except CertificateError as error:
            self.failures += 1
            self._log.error("certificate not replaced, the old one stays: {error}", error=error)
        else:
            self.reloads += 1
            self._log.info(
                "certificate replaced file={file} days_left={days}",
                file=str(self._certificate), days=int((self.expires - time_of_day(self._clock)) // 86_400),
            )  # fmt: skip

    def _state(self) -> list[tuple[int, int, int] | None]:
        """What shows that a file was replaced or written."""
        found: list[tuple[int, int, int] | None] = []
        for path in (self._certificate, self._key):
            try:
                status = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return found

    def _load(self) -> SSL.Context:
        try:
            chain = x509.load_pem_x509_certificates(self._certificate.read_bytes())
            key = load_pem_private_key(read_secret(self._key), None)
            options = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2, acceptableProtocols=[b"http/1.1"])
            context: SSL.Context = options.getContext()
            context.use_certificate(chain[0])
            for signer in chain[1:]:
                context.add_extra_chain_cert(signer)
            context.use_privatekey(key)  # type: ignore[arg-type]  # of the kinds that it knows
            context.check_privatekey()
        except ExposedSecret as error:
            raise CertificateError(str(error)) from None
        except OSError as error:
            raise CertificateError(f"{error.filename}: cannot be read: {error.strerror}") from None
        except SSL.Error:
            raise CertificateError(f"{self._key} is not the key of {self._certificate}") from None
        except (ValueError, TypeError) as error:  # TypeError: the key has a password
            raise CertificateError(
                f"{self._certificate}, {self._key}: no PEM certificate and key without password: {error}"
            ) from None
        self.expires = chain[0].not_valid_after_utc.timestamp()
        if (left := self.expires - time_of_day(self._clock)) < SOON:
            self._log.warn(
                "certificate ends soon file={file} days_left={days}",
                file=str(self._certificate), days=int(left // 86_400),
            )  # fmt: skip
        return context


def figures(used: Certificates | None) -> Figures:
    """For the metrics; 0 without TLS."""

    def of(name: str) -> Callable[[], float]:
        return lambda: float(getattr(used, name, 0))

    return [
        ("realmd_tls_certificate_expires_seconds", "End of the certificate (Unix time).", of("expires")),
        ("realmd_tls_reloads_total", "Certificates replaced.", of("reloads")),
        ("realmd_tls_reload_failures_total", "New certificates that could not be used.", of("failures")),
    ]
