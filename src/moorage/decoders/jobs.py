"""What the worker does for decoders by the clock."""

from moorage.kit.db import Tx

from . import service


async def forget_old_problems(tx: Tx) -> None:
    """Forget what decoders could not do long ago; daily."""
    await service.forget_old_problems(tx)


async def watch(tx: Tx) -> None:
    """Tell of decoders that keep failing; every half minute."""
    await service.watch(tx)
