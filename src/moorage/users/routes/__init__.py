"""HTTP of people, their sessions and keys."""

from .access import router as access
from .auth import router as auth
from .invitations import router as invitations
from .keys import router as keys
from .passkeys import router as passkeys
from .people import router as people
from .second_factors import router as second_factors

ROUTERS = (auth, second_factors, passkeys, people, invitations, keys, access)
