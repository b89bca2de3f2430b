"""Pages for people about the management API: the OpenAPI document, Swagger UI and ReDoc, without a network."""

import hashlib
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from unify.service.asgi import JSON, Headers, Receive, Scope, Send, header, respond
from unify.service.caller import Caller
from unify.service.errors import ServiceError, not_found
from unify.service.management.app import management_app
from unify.service.management.errors import api_error
from unify.service.management.openapi import document

if TYPE_CHECKING:
    from unify.service.app import Service

ASSETS: Final = "fastapi_offline"
"""The package that carries the scripts of both pages: Swagger UI 5 (4 cannot read OpenAPI 3.1) and ReDoc."""
SCRIPT, STYLE, IMAGE = "text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/png"
FILES: Final = {
    "/swagger/swagger-ui-bundle.js": ("swagger-ui-bundle.js", SCRIPT),
    "/swagger/swagger-ui.css": ("swagger-ui.css", STYLE),
    "/swagger/favicon.png": ("favicon.png", IMAGE),
    "/redoc/redoc.standalone.js": ("redoc.standalone.js", SCRIPT),
}
SWAGGER: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Unify: management API</title>
<link rel="stylesheet" href="/swagger/swagger-ui.css"><link rel="icon" href="/swagger/favicon.png">
</head><body><div id="swagger-ui"></div>
<script src="/swagger/swagger-ui-bundle.js"></script><script src="/swagger/start.js"></script></body></html>
"""
START: Final = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  docExpansion: "none", filter: true, presets: [SwaggerUIBundle.presets.apis]
});
"""
REDOC: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Unify: management API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><redoc spec-url="/openapi.json" disable-google-font></redoc>
<script src="/redoc/redoc.standalone.js"></script></body></html>
"""
HTML: Final = "text/html; charset=utf-8"
TEXTS: Final = {
    "/swagger": (SWAGGER, HTML),
    "/swagger/": (SWAGGER, HTML),
    "/swagger/index.html": (SWAGGER, HTML),
    "/swagger/start.js": (START, SCRIPT),
    "/redoc": (REDOC, HTML),
    "/redoc/": (REDOC, HTML),
}
DOCUMENTS: Final = ("/openapi.json", "/swagger/v1/swagger.json")
"""The second one is where the vendor's page has it."""
POLICY: Final = (
    b"content-security-policy",
    (
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; "
        b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
)
"""Scripts only from here, none inline. Styles inline: ReDoc makes its own; its search runs in a worker of a blob."""


class PagesRoom:
    """Public: a document about an API says nothing about anybody, and a browser has no key to show for it."""

    public: ClassVar[bool] = True

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._document: bytes | None = None

    def takes(self, path: str) -> bool:
        """See Room."""
        return path in DOCUMENTS or path in TEXTS or path in FILES

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room. Pages are read, nothing else."""
        if scope["method"] not in ("GET", "HEAD"):
            raise ServiceError(405, "this page can only be read", headers={"Allow": "GET, HEAD"})
        body, kind = self._content(scope["path"])
        tag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
        shared = [POLICY, (b"x-content-type-options", b"nosniff"), (b"etag", tag), (b"cache-control", b"no-cache")]
        if header(scope, b"if-none-match") == tag:
            await respond(send, 304, headers=shared)
            return
        await respond(send, 200, body, [(b"content-type", kind.encode()), *shared])

    def _content(self, path: str) -> tuple[bytes, str]:
        if path in DOCUMENTS:
            if self._document is None:
                self._document = orjson.dumps(document(management_app(), open_=self._service.settings.open))
            return self._document, "application/json"
        if path in TEXTS:
            text, kind = TEXTS[path]
            return text.encode(), kind
        name, kind = FILES[path]
        if find_spec(ASSETS) is None:
            raise not_found("the scripts of this page are not installed", hint=f"pip install {ASSETS}")
        return (files(ASSETS) / "static" / name).read_bytes(), kind

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        return orjson.dumps(api_error(error, status, self._service.settings.root).wire()), [JSON]
