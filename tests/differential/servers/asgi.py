"""Starlette and bare ASGI on uvicorn, one application for each way of routing; the ports come as arguments."""

import asyncio
import sys
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

GUARDED = "/api/service/updateInventory"


def answer(served, scope):
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return PlainTextResponse(f"{served} {target}\n", headers={"X-Served": served})


def endpoint(served):
    return lambda request: answer(served, request.scope)


def application(routes):
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]
    return Starlette(routes=[*routes, Route("/{rest:path}", endpoint("other"), methods=methods)])


def below(request):
    first = request.path_params["rest"].split("/")[0]
    return answer("guarded" if first.lower() == "updateinventory" else "other", request.scope)


def bare(path_of):
    """An application that compares what it gets."""

    async def run(scope, receive, send):
        served = "guarded" if path_of(scope).lower() == GUARDED.lower() else "other"
        await answer(served, scope)(scope, receive, send)

    return run


APPLICATIONS = [
    # get
    application([Route(GUARDED, endpoint("guarded"), methods=["GET"])]),
    # mount
    application([Mount("/api/service", routes=[Route("/{rest:path}", below, methods=["GET", "POST"])])]),
    # path
    bare(lambda scope: scope["path"]),
    # twice
    bare(lambda scope: unquote(scope["path"]).split("?")[0].split(";")[0].rstrip("/")),
]


async def main():
    servers = [
        uvicorn.Server(uvicorn.Config(each, host="127.0.0.1", port=int(port), lifespan="off", log_level="critical"))
        for each, port in zip(APPLICATIONS, sys.argv[1:], strict=True)
    ]
    await asyncio.gather(*(server.serve() for server in servers))


asyncio.run(main())
