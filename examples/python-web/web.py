"""The web process: an ASGI application that queues jobs and shows their results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import queue_jobs
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

database = queue_jobs.connect()


async def home(_: Request) -> JSONResponse:
    """Return which process answers."""
    return JSONResponse({"process": os.environ.get("PS"), "port": os.environ.get("PORT")})


async def add_job(request: Request) -> JSONResponse:
    """Queue a job with the request body as its text."""
    number = queue_jobs.add(database, (await request.body()).decode("utf-8", "replace"))
    print(f"job {number} is in the queue")
    return JSONResponse({"number": number}, status_code=202, headers={"Location": f"/jobs/{number}"})


async def show_job(request: Request) -> JSONResponse:
    """Return one job, done or not."""
    job = queue_jobs.find(database, request.path_params["number"])
    return JSONResponse(dict(job)) if job else JSONResponse({"error": "no such job"}, status_code=404)


app = Starlette(
    routes=[
        Route("/", home),
        Route("/jobs", add_job, methods=["POST"]),
        Route("/jobs/{number:int}", show_job),
    ]
)
