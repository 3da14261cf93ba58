"""RSA encryption for the one provider whose login asks for it."""

from base64 import b64decode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_der_public_key


def seal(public_key: str, text: bytes, *, oaep: bool = False) -> bytes:
    """
    Return *text* encrypted with RSA, PKCS#1 v1.5 or OAEP (SHA-1); two seals of the same text differ.

    Shape:   *public_key* is X.509 SubjectPublicKeyInfo in base64, with or without PEM lines.
    Errors:  ValueError when it is no such key, or *text* is too long for it; the message
             never holds the key, which is a credential here.
    """
    key = _load(public_key)
    # So many bytes are the padding's own.
    if len(text) > key.key_size // 8 - (42 if oaep else 11):
        raise ValueError(f"the text to encrypt is {len(text)} bytes, too long for the RSA key")
    # SHA-1 is what those who ask for OAEP without a word more mean; it is no weakness here.
    return key.encrypt(text, OAEP(MGF1(SHA1()), SHA1(), None) if oaep else PKCS1v15())


def _load(public_key: str) -> RSAPublicKey:
    text = "".join(line.strip() for line in public_key.splitlines() if "-----" not in line)
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the secret is not a base64 X.509 public key") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the secret is a public key, but not an RSA key")
    return key
