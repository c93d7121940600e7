"""HTTP of identity providers: setting them up, signing in by them, requests for access."""

from .providers import router as providers
from .requests import router as requests
from .sign_in import router as sign_in

ROUTERS = (sign_in, providers, requests)
