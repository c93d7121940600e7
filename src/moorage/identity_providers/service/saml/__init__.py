"""SAML 2.0 without I/O: reading what a provider says, and writing what it is told.

Nothing that is not signed is believed: `signatures.verify` gives the signed bytes read anew, and
all that decides is read from there.

Sources: OASIS SAML 2.0 Core, Bindings, Profiles and Metadata (2005) with errata 05; XML Signature
1.1; XML Encryption 1.1; OIOSAML Web SSO Profile 3.0; OIO Basic Privilege Profile 1.2.
"""
