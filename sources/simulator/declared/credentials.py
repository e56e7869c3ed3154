"""How a stand-in is reached and who may: the variables of a declaration, given values.

An address leads to the stand-in, a file is made, everything else is the token.
"""

import datetime
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from sources.declaration import Source
from sources.simulator.declared.soap import write_wsdl
from sources.simulator.declared.stand import filled, variables
from sources.simulator.place import HOST

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Credentials:
    """What one stand-in asks of its callers.

    `prefix` is the path that the declared address has; `tls` is set where the declaration trusts
    an authority of its own, and then asks for the hub's certificate if it has one.
    """

    environment: Mapping[str, str]
    prefix: str
    headers: Mapping[str, str]
    token_path: str | None
    tls: ssl.SSLContext | None


def scheme(source: Source) -> str:
    """Whether the declaration expects TLS here: possible by an authority of its own only."""
    return "https" if source.adapter_table.get("tls", {}).get("authority") else "http"


def credentials(source: Source, port: int, token: str, directory: Path) -> Credentials:
    """Values for every variable of the declaration, files included, and what is asked of callers.

    Raises ValueError where the address is written out, as nobody can be led elsewhere by it.
    """
    table = source.adapter_table
    prefix = address_prefix(source)
    url = f"{scheme(source)}://{HOST}:{port}"
    environment = dict.fromkeys(variables(table), token)
    environment |= dict.fromkeys(address_variables(source, "url"), url)
    oauth2 = table.get("oauth2", {})
    if own := variables(oauth2.get("token_url", "")) - variables(table["url"]):
        environment |= dict.fromkeys(own, f"{url}/_token")
    if wsdl := variables(table.get("wsdl", "")):
        write_wsdl(source, url, directory / "service.wsdl")
        environment |= dict.fromkeys(wsdl, str(directory / "service.wsdl"))
    environment |= _key_files(table, directory)
    tls, files = tls_files(table.get("tls", {}), directory)
    environment |= files
    return Credentials(
        environment=environment,
        prefix=prefix,
        headers={
            name: filled(text, environment) for name, text in table.get("headers", {}).items()
        },
        token_path=urlsplit(filled(oauth2["token_url"], environment)).path if oauth2 else None,
        tls=tls,
    )


def address_variables(source: Source, key: str) -> set[str]:
    """The variables that say where the agency is. Raises ValueError where there is none."""
    text = source.adapter_table[key]
    if not text.startswith("${"):
        raise ValueError(
            f"{source.file}: the address is written out; "
            f'write it as `{key} = "${{{source.name.upper()}_{key.upper()}}}"`'
        )
    return variables(text.partition("}")[0] + "}")


def address_prefix(source: Source) -> str:
    """The path within the declared address."""
    return str(source.adapter_table["url"].partition("}")[2]).rstrip("/")


def _key_files(table: Mapping[str, Any], directory: Path) -> dict[str, str]:
    """The key that requests are signed with."""
    signature = table.get("signature", {})
    if not (names := variables(signature.get("key", ""))):
        return {}
    made: Mapping[str, Any] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa-p256-sha256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "rsa-pss-sha512": lambda: rsa.generate_private_key(65537, 2048),
    }
    path = directory / "signing.pem"
    _write_key(path, made[signature.get("algorithm", "ed25519")]())
    return dict.fromkeys(names, str(path))


def tls_files(
    table: Mapping[str, str], directory: Path
) -> tuple[ssl.SSLContext | None, dict[str, str]]:
    """The server's side of TLS, and the files of the hub's side by the variables of `[tls]`."""
    if not table:
        return None, {}
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("simulated authority", authority_key, None)
    paths = {name: directory / f"{name}.pem" for name in ("authority", "certificate", "key")}
    paths["authority"].write_bytes(authority.public_bytes(Encoding.PEM))
    for certificate, key in (("certificate", "key"), ("server", "server-key")):
        own = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(f"simulated {certificate}", own, (authority, authority_key))
        (directory / f"{certificate}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        _write_key(directory / f"{key}.pem", own)
    files = {
        name: str(path) for key, path in paths.items() for name in variables(table.get(key, ""))
    }
    if "authority" not in table:
        return None, files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server-key.pem")
    if "certificate" in table:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(paths["authority"])
    return context, files


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
) -> x509.Certificate:
    """A certificate of a day, for loopback."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signing = key if issuer is None else issuer[1]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .add_extension(
            x509.BasicConstraints(ca=issuer is None, path_length=None), critical=issuer is None
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=issuer is None,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(signing, hashes.SHA256())
    )


def _write_key(path: Path, key: Key) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
