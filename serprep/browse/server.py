"""The server: on this machine alone, at an address that nobody can guess, for reading only.

Everything lies below ``/TOKEN/``; whoever does not know the token is told that there is nothing.
Utterances are asked for by number, files of the page by names of a fixed list: no path is ever
made from what is asked for.
"""

import contextlib
import secrets
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from serprep.browse.content import Content
from serprep.browse.page import FILES, file, index, policy
from serprep.browse.subject import Subject
from serprep.errors import SerprepError

HOST = "127.0.0.1"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def application(subject: Subject, token: str) -> Starlette:
    """What answers requests, everything below ``/token/``."""
    content, nonce = Content(subject), secrets.token_urlsafe(16)
    headers = _HEADERS | {"Content-Security-Policy": f"{policy(nonce)}; frame-ancestors 'none'"}

    def reply(data: bytes | None, media_type: str) -> Response:
        if data is None:
            return PlainTextResponse("there is no such utterance", status_code=404, headers=headers)
        return Response(data, media_type=media_type, headers=headers)

    def number(request: Request) -> int:
        return int(request.path_params["number"])

    def script(data: Callable[[Request], bytes | None]) -> Callable[[Request], Response]:
        def answered(request: Request) -> Response:
            try:
                return reply(data(request), "text/javascript")
            except SerprepError as error:
                return PlainTextResponse(str(error), status_code=500, headers=headers)

        return answered

    def page(request: Request) -> Response:
        return reply(index(nonce), "text/html")

    def asset(name: str, media_type: str) -> Route:
        def answered(request: Request) -> Response:
            return reply(file(name), media_type)

        return Route(f"/{name}", answered)

    def sound(request: Request) -> Response:
        try:
            matched = request.path_params["folder"] == "matched"
            return reply(content.wav(number(request), matched=matched), "audio/wav")
        except SerprepError as error:
            return PlainTextResponse(str(error), status_code=404, headers=headers)

    def loudness(folder: str) -> Route:
        def answered(request: Request) -> Response:
            request.path_params["folder"] = folder
            return sound(request)

        return Route(f"/{folder}/{{number:int}}.wav", answered)

    routes = [
        Route("/", page),
        *(asset(name, media_type) for name, media_type in FILES.items()),
        Route("/data/corpus.js", script(lambda _: content.corpus)),
        Route("/data/first.js", script(lambda _: content.first)),
        Route("/data/rows.js", script(lambda _: content.rows)),
        Route("/data/map/{number:int}.js", script(lambda request: content.map(number(request)))),
        Route("/data/utterance/{number:int}.js", script(lambda request: content.utterance(number(request)))),
        loudness("audio"),
        loudness("matched"),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False)
    return Starlette(routes=[Mount(f"/{token}", routes=routes)], middleware=[hosts])


def serve(subject: Subject, *, tell: Callable[[str], object]) -> None:
    """Serve until interrupted, at a free port; `tell` is called with the address once it answers."""
    token = secrets.token_urlsafe(16)
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            application(subject, token), log_level="error", access_log=False, server_header=False, lifespan="off"
        )
        tell(f"http://{HOST}:{port}/{token}/")
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
            uvicorn.Server(config).run(sockets=[listening])
