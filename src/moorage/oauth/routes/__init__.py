"""HTTP of OAuth."""

from .people import router as people
from .programs import router as programs
from .protocol import router as protocol
from .protocol import well_known

ROUTERS = (protocol, programs, people, well_known)
