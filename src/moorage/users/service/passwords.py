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

# Words that make up most guessed passwords of this length, with what is put around them removed.
_COMMON = frozenset(
    {
        "password", "passw", "passwort", "passwd", "kodeord", "adgangskode", "login", "welcome",
        "velkommen", "admin", "administrator", "root", "user", "bruger", "guest", "default",
        "changeme", "letmein", "secret", "hemmelig", "iloveyou", "jegelskerdig", "sunshine",
        "princess", "football", "fodbold", "baseball", "superman", "batman", "monkey", "dragon",
        "master", "shadow", "michael", "qwerty", "qwertyuiop", "asdfgh", "asdfghjkl", "zxcvbn",
        "zxcvbnm", "qazwsx", "qazwsxedc", "abc", "abcd", "abcdef", "abcdefghijkl", "test",
        "testing",
        "temp", "temporary", "pass", "hello", "hej", "hejmeddig", "moorage", "iot", "device",
        "sensor", "gateway", "lorawan", "company", "kommune", "danmark", "denmark", "sommer",
        "summer", "winter", "vinter", "spring", "autumn", "januar", "january", "trustno",
        "whatever", "computer", "internet", "starwars", "pokemon", "liverpool", "correcthorse",
        "correcthorsebatterystaple", "thequickbrownfox",
    }
)  # fmt: skip
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "01234567890123456789")
_LEET = str.maketrans("0134578@$", "oleastbas")


def check(password: str, *personal: str | None, pointer: str = "/password") -> None:
    """Refuse a password that is short, common or taken from the account.

    Args:
        password: as typed.
        personal: e-mail address, name and the like.
        pointer: the field that carried it.

    Raises:
        PasswordWeak: it says which rule is broken.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordWeak(f"needs at least {SHORTEST_PASSWORD} characters.", pointer)
    if len(password) > LONGEST_PASSWORD:
        raise PasswordWeak(f"may have at most {LONGEST_PASSWORD} characters.", pointer)
    plain = password.casefold()
    for text in personal:
        for part in _parts(text):
            if part in plain and len(plain) - len(part) < SHORTEST_PASSWORD - 4:
                raise PasswordWeak("must not be made of your name or e-mail address.", pointer)
    if _is_pattern(plain) or _is_common(plain):
        raise PasswordWeak(
            "is one that guessers try first. Take several words that do not belong together.",
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


def _parts(text: str | None) -> list[str]:
    if not text:
        return []
    folded = text.casefold()
    parts = [folded, folded.partition("@")[0], *re.split(r"[\s@._+-]+", folded)]
    return [part for part in parts if len(part) >= 4]


def _is_pattern(plain: str) -> bool:
    if len(set(plain)) < 5:
        return True
    if any(re.fullmatch(rf"(.{{{size}}})\1+.{{0,{size}}}", plain) for size in range(1, 7)):
        return True
    letters = re.sub(r"[^a-z0-9]", "", plain)
    return any(letters in row * 2 or letters in row[::-1] * 2 for row in _ROWS if len(letters) >= 6)


def _is_common(plain: str) -> bool:
    for variant in (plain, plain.translate(_LEET)):
        words = re.findall(r"[^\W\d_]+", variant)
        if words and all(word in _COMMON for word in words):
            return True
    return plain.isdigit()
