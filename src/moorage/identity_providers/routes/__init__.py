"""HTTP of identity providers: setting them up, signing in by them, requests for access."""

from .keys import router as keys
from .providers import router as providers
from .requests import router as requests
from .saml import router as saml
from .sign_in import router as sign_in

ROUTERS = (sign_in, saml, providers, keys, requests)
