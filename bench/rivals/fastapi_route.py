"""A route as a tutorial has it: the body checked by pydantic, a row inserted, then the answer."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel


class Reading(BaseModel):
    """What a device sends."""

    temperature: float
    humidity: float
    battery: float


def build(url: str) -> FastAPI:
    """Make the application on a database."""
    pool = AsyncConnectionPool(url, min_size=10, max_size=10, open=False)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await pool.open()
        async with pool.connection() as connection:
            await connection.execute(
                "CREATE TABLE messages (id bigserial PRIMARY KEY, device text NOT NULL, "
                "at timestamptz NOT NULL DEFAULT now(), temperature float8, humidity float8, "
                "battery float8)"
            )
        yield
        await pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/ingest/v1/up", status_code=202)
    async def take_in(reading: Reading, x_device_key: Annotated[str, Header()]) -> dict[str, int]:
        async with pool.connection() as connection:
            await connection.execute(
                "INSERT INTO messages (device, temperature, humidity, battery) "
                "VALUES (%s, %s, %s, %s)",
                (x_device_key, reading.temperature, reading.humidity, reading.battery),
            )
        return {"accepted": 1}

    return app


if __name__ == "__main__":
    port, url = sys.argv[1:]
    uvicorn.run(
        build(url), port=int(port), loop="uvloop", http="httptools", log_level="error",
        access_log=False,
    )  # fmt: skip
