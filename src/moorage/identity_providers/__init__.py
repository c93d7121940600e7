"""Single sign-on: identity providers that say who somebody is, and access that is asked for."""

from .service import Issuers, People, seal_anew

__all__ = ["Issuers", "People", "seal_anew"]
