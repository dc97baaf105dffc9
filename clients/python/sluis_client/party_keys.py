"""Where a profile's keys are: files, the key store, or for signing a token or server that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sluis_custody.choosing import is_signer, signer_of, wrapper_of
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper
from sluis_custody.secret_sources import SecretSource, secret_source

from sluis_client.certificates import key_trouble, public_key_of, read_certificate, read_private_key
from sluis_client.keystore import Keystore
from sluis_client.private_files import read_file, read_private
from sluis_client.statements import PartyKey
from sluis_client.store_protection import custody_errors

if TYPE_CHECKING:
    from sluis_client.profile import Profile


def keystore_of(profile: Profile) -> Keystore:
    """The profile's state directory; opened as the profile says when the first secret is needed."""
    return Keystore(profile.state, lambda by: unlocking(profile, by))


def unlocking(profile: Profile, by: str) -> Wrapper:
    """What opens the key store, which is protected by `by`. Raises CustodyError SETTING."""
    text = profile.key_store or by
    if text in ("pkcs11", "transit"):
        said = f"the key store is protected by {by}: name the token or server as key_store in {profile.path}"
        raise CustodyError(Trouble.SETTING, said)
    return wrapper_of(text, _secret(profile, "key store", text), profile.key_store_ca_file)


def signing_key(profile: Profile) -> PartyKey:
    """Certificate and key with which this party signs its statements.

    Raises:
        ClientError: KEY_UNREADABLE, KEY_UNSAFE, KEY_TYPE_WRONG, KEY_NOT_OF_CERTIFICATE; KEYSTORE_LOCKED and its kind.
    """
    if profile.signing_key is None:
        return tls_key(profile)
    certificate = read_file(profile.signing_certificate or profile.certificate, "signing_certificate")
    if isinstance(profile.signing_key, Path):
        return PartyKey(certificate, read_private(profile.signing_key, "signing_key"))
    if not is_signer(profile.signing_key):
        return PartyKey(certificate, _stored(profile))
    public = public_key_of(read_certificate(certificate)).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    secret = _secret(profile, "signing key", profile.signing_key)
    with custody_errors():
        signer = signer_of(profile.signing_key, secret, profile.key_store_ca_file, public)
        return PartyKey(certificate, signer)


def tls_key(profile: Profile) -> PartyKey:
    """Certificate and key of the connection. Raises as `signing_key`."""
    key, password = _connection_key(profile)
    return PartyKey(read_file(profile.certificate, "certificate"), key, password)


def tls_identity(profile: Profile) -> tuple[bytes, bytes]:
    """Private key (PEM, unencrypted) and certificate chain (PEM), as TLS takes them. Raises as `signing_key`."""
    key = read_private_key(*_connection_key(profile))
    certificate = read_file(profile.certificate, "certificate")
    if not certificate.lstrip().startswith(b"-----"):
        certificate = read_certificate(certificate).public_bytes(Encoding.PEM)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), certificate


def key_bytes_of_file(profile: Profile, path: Path) -> bytes:
    """A private key out of a file, unencrypted (PEM), once it is found to be the certificate's. Raises as `tls_key`."""
    key = read_private_key(read_private(path, "private_key"), _password(profile))
    PartyKey(read_file(profile.certificate, "certificate"), key)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _connection_key(profile: Profile) -> tuple[bytes, bytes | None]:
    if isinstance(profile.private_key, Path):
        return read_private(profile.private_key, "private_key"), _password(profile)
    return _stored(profile), None


def _stored(profile: Profile) -> bytes:
    key = keystore_of(profile).private_key()
    if key is None:
        text = "the key store holds no private key; take it in with `sluis-client keys protect --private-key FILE`"
        raise key_trouble("KEY_UNREADABLE", text)
    return key


def _password(profile: Profile) -> bytes | None:
    if profile.private_key_password_file is None:
        return None
    return read_private(profile.private_key_password_file, "private_key_password_file").strip()


def _secret(profile: Profile, what: str, place: str) -> SecretSource:
    asked = "PIN" if place.startswith("pkcs11:") else "Access token" if place.startswith("transit:") else "Passphrase"
    return secret_source(profile.key_store_secret, profile.path.parent, asking=f"{asked} of the {what}")
