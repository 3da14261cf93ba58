from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.runtime.seal import seal


@pytest.mark.parametrize("bits", [1024, 2048])
def test_what_is_sealed_is_read_by_the_owner_of_the_key_alone(bits: int) -> None:
    private = generate_private_key(65537, bits)
    public = b64encode(
        private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()

    first, second = seal(public, b"client_id=x&timestamp=1"), seal(public, b"client_id=x&timestamp=1")

    assert private.decrypt(first, PKCS1v15()) == b"client_id=x&timestamp=1"
    assert first != second


def test_the_other_padding_is_read_by_the_owner_of_the_key_too() -> None:
    private = generate_private_key(65537, 1024)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    sealed = seal(b64encode(public).decode(), b"x" * 86, oaep=True)

    assert private.decrypt(sealed, OAEP(MGF1(SHA1()), SHA1(), None)) == b"x" * 86
    with pytest.raises(ValueError, match="87 bytes, too long"):
        seal(b64encode(public).decode(), b"x" * 87, oaep=True)


def test_the_seal_takes_a_key_in_its_pem_lines_too() -> None:
    private = generate_private_key(65537, 1024)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    assert private.decrypt(seal(pem, b"x"), PKCS1v15()) == b"x"


@pytest.mark.parametrize("key", ["", "not base64!", "AAAA", b64encode(b"x" * 200).decode()])
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="not a base64 X") as refused:
        seal(key, b"x")

    assert not key or key not in str(refused.value)


def test_a_text_too_long_for_the_key_is_refused() -> None:
    private = generate_private_key(65537, 1024)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(ValueError, match="118 bytes, too long"):
        seal(b64encode(public).decode(), b"x" * 118)
