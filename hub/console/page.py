"""Serves the pages and their files out of the installed package, and nothing from elsewhere.

GraphiQL is built by `make graphiql` from `hub/console/graphiql/`; the page of policy teams,
`/statistics`, is served as it stands in `hub/console/statistics/`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

_ASSETS = Path(__file__).parent / "assets"
_STATISTICS = Path(__file__).parent / "statistics"
_PAGE = "index.html"
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_HASHED = re.compile(r"-[0-9A-Z]{8}\.\w+$")  # esbuild's `[name]-[hash]`

# The editor sets style attributes and elements of its own, and carries its fonts and icons as data.
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "connect-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "font-src": "'self' data:",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
# The page of policy teams styles itself by its own sheet alone.
_PLAIN_POLICY = _POLICY | {"style-src": "'self'", "font-src": "'self'"}
_STRICT = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_PRIVATE = {**_STRICT, "Cache-Control": "no-store"}


def _policy(policy: Mapping[str, str]) -> dict[str, str]:
    written = "; ".join(f"{name} {given}" for name, given in policy.items())
    return {**_PRIVATE, "Content-Security-Policy": written}


_PLAIN = _policy(_PLAIN_POLICY)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where the page has people sign in: an issuer that knows it as a public client."""

    issuer: str
    client_id: str
    scope: str
    resource: str | None

    @property
    def origin(self) -> str:
        """The one origin beside its own that the page may ask."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


def routes(demo: Path | None, sign_in: SignIn | None = None) -> list[BaseRoute]:
    """The routes of `/`, its files, and, when `demo` names a JSON file, `/console/demo.json`.

    `demo` is read at each request, since the tokens in it are renewed. It holds credentials: a hub
    that serves real agencies gives `None`, and the page then asks for a token, or has people sign
    in where `sign_in` says.
    """
    policy = dict(_POLICY)
    if sign_in is not None:
        policy["connect-src"] += f" {sign_in.origin}"
    headers = _policy(policy)

    async def page(_request: Request) -> Response:
        kind = "text/html; charset=utf-8"
        return FileResponse(_ASSETS / _PAGE, media_type=kind, headers=headers)

    async def statistics(_request: Request) -> Response:
        kind = "text/html; charset=utf-8"
        return FileResponse(_STATISTICS / _PAGE, media_type=kind, headers=_PLAIN)

    served = [
        Route("/", page, name="console"),
        Route("/statistics", statistics, name="statistics"),
        Route("/statistics/assets/{name}", _statistics_asset, name="statistics-asset"),
        Route("/console/assets/{name}", _asset, name="console-asset"),
    ]
    if demo is not None:

        async def demo_settings(_request: Request) -> Response:
            return FileResponse(demo, media_type="application/json", headers=_PRIVATE)

        served.append(Route("/console/demo.json", demo_settings, name="console-demo"))
    if sign_in is not None:
        told = {
            "issuer": sign_in.issuer,
            "clientId": sign_in.client_id,
            "scope": sign_in.scope,
            "resource": sign_in.resource,
        }

        async def sign_in_settings(_request: Request) -> Response:
            return JSONResponse(told, headers=_PRIVATE)

        served.append(Route("/console/sign-in.json", sign_in_settings, name="console-sign-in"))
    return [*served]


async def _statistics_asset(request: Request) -> Response:
    return _file(request, _STATISTICS)


async def _asset(request: Request) -> Response:
    return _file(request, _ASSETS)


def _file(request: Request, folder: Path) -> Response:
    # `{name}` holds no slash, and the listing keeps out every other way of leaving the folder.
    name = request.path_params["name"]
    content_type = _CONTENT_TYPES.get(Path(name).suffix)
    if content_type is None or name not in {file.name for file in folder.iterdir()}:
        raise HTTPException(404)
    fresh = "public, max-age=31536000, immutable" if _HASHED.search(name) else "no-cache"
    headers = {**_STRICT, "Cache-Control": fresh}
    return FileResponse(folder / name, media_type=content_type, headers=headers)
