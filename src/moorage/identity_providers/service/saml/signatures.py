"""Signatures: on XML by signxml, on addresses as the Redirect binding has them.

Source: SAML Core, section 5.4; Bindings, section 3.4.4.1; XML Signature Best Practices.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote_plus

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.x509 import Certificate
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from .xml import NAMES, Element, Wrong, identity, parse, tag, write

ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
FEWEST_BITS = 2048
# SHA-1 is broken; DSA and HMAC nobody uses here.
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
    }
)  # fmt: skip
_EXPECTED = SignatureConfiguration(
    location="./",
    expect_references=1,
    signature_methods=_METHODS,
    digest_algorithms=frozenset(
        {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
    ),
)
_HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_QUERY_METHOD = re.compile(r"http://www\.w3\.org/2001/04/xmldsig-more#(rsa|ecdsa)-sha(256|384|512)")
# What the libraries raise for what is not what it says it is.
_UNREADABLE = (
    SignXMLException, InvalidSignature, UnsupportedAlgorithm, etree.LxmlError, binascii.Error,
    ValueError, TypeError, AttributeError, KeyError, NotImplementedError,
)  # fmt: skip


def is_signed(element: Element) -> bool:
    """Tell whether an element has a signature of its own."""
    return element.find("ds:Signature", NAMES) is not None


def verify(element: Element, certificates: Iterable[Certificate]) -> Element:
    """Check the signature that an element has of itself; give what was signed, read anew.

    Raises:
        Wrong: it is not signed, not as SAML does, or by nobody of these.
    """
    alone = parse(write(element))
    _check_shape(alone)
    raw = write(alone)
    for certificate in certificates:
        try:
            found = XMLVerifier().verify(
                raw, x509_cert=certificate, expect_config=_EXPECTED, id_attribute="ID"
            )
        except _UNREADABLE:
            continue
        if isinstance(found, list):
            continue
        signed = parse(found.signed_data)
        if signed.tag != alone.tag or identity(signed) != identity(alone):
            raise Wrong("its signature is of something else.")
        return signed
    raise Wrong("it is not signed by a key of the provider.")


def _check_shape(element: Element) -> None:
    """Refuse signatures that SAML does not make (Core, section 5.4), before one is computed.

    A transform is a program (XSLT), and a second reference or another target is what somebody
    else's content is brought in by.
    """
    signatures = element.findall("ds:Signature", NAMES)
    if len(signatures) != 1:
        raise Wrong("it is not signed once." if signatures else "it is not signed.")
    signature = signatures[0]
    if signature.find("ds:Object", NAMES) is not None:
        raise Wrong("its signature holds more than a signature.")
    references = signature.findall("ds:SignedInfo/ds:Reference", NAMES)
    if len(references) != 1 or len(signature.findall(".//ds:Reference", NAMES)) != 1:
        raise Wrong("its signature is of several things.")
    if references[0].get("URI") != f"#{identity(element)}":
        raise Wrong("its signature is of something else.")
    transforms = signature.findall(".//ds:Transform", NAMES)
    if [one.get("Algorithm") for one in transforms] != [ENVELOPED, EXCLUSIVE]:
        raise Wrong("its signature transforms what it signs.")
    for transform in transforms:
        if any(child.tag != tag(EXCLUSIVE, "InclusiveNamespaces") for child in transform):
            raise Wrong("its signature transforms what it signs.")
    canonical = signature.find("ds:SignedInfo/ds:CanonicalizationMethod", NAMES)
    if canonical is None or canonical.get("Algorithm") != EXCLUSIVE:
        raise Wrong("its signature is not written canonically.")


def sign(element: Element, key: rsa.RSAPrivateKey, certificate: Certificate) -> Element:
    """Sign an element with a `ds:Signature` whose Id is `placeholder`; give it signed."""
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(
        element, key=key, cert=[certificate], reference_uri=f"#{identity(element)}",
        id_attribute="ID",
    )  # fmt: skip


# --- Addresses ------------------------------------------------------------


def signed_query(name: str, message: str, relay: str | None, key: rsa.RSAPrivateKey) -> str:
    """Give the query of an address that carries a message, signed."""
    parts = [(name, message), *([("RelayState", relay)] if relay is not None else []),
             ("SigAlg", RSA_SHA256)]  # fmt: skip
    octets = "&".join(f"{one}={quote(value, safe='')}" for one, value in parts)
    proof = key.sign(octets.encode(), padding.PKCS1v15(), SHA256())
    return f"{octets}&Signature={quote(base64.b64encode(proof).decode(), safe='')}"


def verify_query(
    query: str, name: str, certificates: Iterable[Certificate]
) -> tuple[str, str | None]:
    """Check the signature of an address that carries a message; give it, and the relay state.

    Args:
        query: as it came: what was signed is how the sender wrote it.
        name: `SAMLRequest` or `SAMLResponse`.
        certificates: whose signature counts.

    Raises:
        Wrong.
    """
    parts = [part.partition("=") for part in query.split("&")]
    raw = {one: value for one, _, value in parts}
    if len(raw) != len(parts):
        raise Wrong("it says something twice.")
    if not {name, "SigAlg", "Signature"} <= set(raw):
        raise Wrong("it is not signed.")
    method = _QUERY_METHOD.fullmatch(unquote_plus(raw["SigAlg"]))
    if method is None:
        raise Wrong("it is signed in a way that is not taken.")
    octets = "&".join(f"{n}={raw[n]}" for n in (name, "RelayState", "SigAlg") if n in raw).encode()
    try:
        proof = base64.b64decode(unquote_plus(raw["Signature"]), validate=True)
    except ValueError as wrong:
        raise Wrong("it is not signed.") from wrong
    if not any(_proves(one, method, proof, octets) for one in certificates):
        raise Wrong("it is not signed by a key of the provider.")
    relay = raw.get("RelayState")
    return unquote_plus(raw[name]), unquote_plus(relay) if relay is not None else None


def _proves(certificate: Certificate, method: re.Match[str], proof: bytes, octets: bytes) -> bool:
    key, digest = certificate.public_key(), _HASHES[method[2]]
    try:
        if method[1] == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(proof, octets, padding.PKCS1v15(), digest)
        elif method[1] == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(proof, octets, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True
