"""Passwords: what is accepted, and hashing that costs memory, two at a time."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from ..errors import PasswordWeak
from ..model import LONGEST_PASSWORD, SHORTEST_PASSWORD

# Each hash takes 64 MiB; two threads bound what a flood of sign-ins can cost.
_hash = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65536, parallelism=4),))
_threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")

# A hash of nothing anybody knows, so that an unknown account takes as long as a known one.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$bW9vcmFnZW5vYm9keTAwMQ$"
    "bm9ib2R5IGtub3dzIHRoaXMgcGFzc3dvcmQgYXQgYWw"
)

# Above this many guesses, as zxcvbn estimates them, a password is one to accept.
_GUESSES = 1e10
# Its time grows with the square of the length; a third of a second is the worst of this many.
_LOOKED_AT = 32
# It keeps the account's words in a global, so one thread asks it at a time.
_estimates = ThreadPoolExecutor(1, thread_name_prefix="zxcvbn")

# Words that guessers try here; zxcvbn knows the English ones. The more likely come first.
_LOCAL = """
    kodeord adgangskode velkommen sommer vinter forår foraar efterår efteraar danmark københavn
    kobenhavn kommune kommunen hemmelig hemmeligt bruger fodbold jegelskerdig jeg elsker dig hej
    hejmeddig goddag skat januar februar marts april maj juni juli august september oktober
    november december mandag tirsdag onsdag torsdag fredag lørdag søndag jul påske ferie sol
    solskin kærlighed familie mor far moster bedste min mit vores sikker sikkert ny nyt region
    regionen aarhus århus odense aalborg ålborg esbjerg randers kolding horsens vejle roskilde
    herning silkeborg næstved fredericia viborg brøndby fck agf passwort kennwort administrator
    changeme moorage iot lora lorawan mqtt gateway sensor device admin123 correcthorse
    correcthorsebattery correcthorsebatterystaple thequickbrownfox
"""


async def check(password: str, *personal: str | None, pointer: str = "/password") -> None:
    """Refuse a password that is short, or guessed soon by who knows the account.

    Args:
        password: as typed.
        personal: e-mail address, name and the like.
        pointer: the field that carried it.

    Raises:
        PasswordWeak: it says which rule is broken.

    Source: Wheeler, zxcvbn: Low-Budget Password Strength Estimation (USENIX Security 2016).
    """
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordWeak(f"needs at least {SHORTEST_PASSWORD} characters.", pointer)
    if len(password) > LONGEST_PASSWORD:
        raise PasswordWeak(f"may have at most {LONGEST_PASSWORD} characters.", pointer)
    known = [part for text in personal for part in _parts(text)]
    loop = asyncio.get_running_loop()
    if await loop.run_in_executor(_estimates, _guesses, password, known) < _GUESSES:
        raise PasswordWeak(
            "is one that guessers try first, or made of your name or e-mail address. Take several "
            "words that do not belong together.",
            pointer,
        )


async def make(password: str) -> str:
    """Hash a password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hash.hash, password)


async def matches(password: str, password_hash: str | None) -> tuple[bool, str | None]:
    """Compare with a hash; takes as long when there is none.

    Returns:
        Whether it matches, and a new hash where the old was made with weaker parameters.
    """
    loop = asyncio.get_running_loop()
    found, renewed = await loop.run_in_executor(
        _threads, _verify, password, password_hash or _NOBODY
    )
    return (found, renewed) if password_hash else (False, None)


def _verify(password: str, password_hash: str) -> tuple[bool, str | None]:
    try:
        return _hash.verify_and_update(password, password_hash)
    except UnknownHashError:
        return False, None


def _guesses(password: str, known: list[str]) -> float:
    """Estimate after how many guesses it is found, as typed or without what divides its words."""
    # Its lists take 15 MB and 50 ms, which only setting a password needs.
    from zxcvbn import zxcvbn

    joined = re.sub(r"[\W_]+", "", password)
    tried = {text[:_LOOKED_AT] for text in (password, joined) if text}
    return min(
        float(zxcvbn(text, user_inputs=[*known, *_LOCAL.split()])["guesses"]) for text in tried
    )


def _parts(text: str | None) -> list[str]:
    if not text:
        return []
    folded = text.casefold()
    parts = [folded, *folded.split("@"), *re.split(r"[\s@._+-]+", folded)]
    return [part for part in dict.fromkeys(parts) if len(part) >= 3]
