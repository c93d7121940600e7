"""HTTP of people, their sessions and keys."""

from .access import router as access
from .auth import router as auth
from .invitations import router as invitations
from .keys import router as keys
from .people import router as people

ROUTERS = (auth, people, invitations, keys, access)
