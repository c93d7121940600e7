"""Directories that people come from: LDAP and Active Directory."""

from .service import Directories, Keeper, People, seal_anew

__all__ = ["Directories", "Keeper", "People", "seal_anew"]
