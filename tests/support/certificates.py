"""An authority of a test's own, and certificates by it."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def authority(folder: Path) -> Path:
    """Return the file with the authority's certificate, which `server_context` wrote there."""
    return folder / "authority.pem"


def server_context(folder: Path, host: str) -> ssl.SSLContext:
    """Return what serves ``host`` by TLS, with a certificate of an authority that is made for it."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("authority of a test", root_key.public_key(), "authority of a test", root_key, None)
    leaf = _certificate(host, key.public_key(), "authority of a test", root_key, host)
    authority(folder).write_bytes(root.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = leaf.public_bytes(serialization.Encoding.PEM)
    (folder / "server.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain) + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _certificate(
    subject: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    host: str | None,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    public = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(subject), key, x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    if host is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
