"""What links in answers begin with."""

import re
from typing import Final

from unify.service.asgi import Scope, header

HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\])(?::\d{1,5})?\Z")
"""Of a Host header that may stand in links: nothing in it can end a URL or begin another."""


def origin_of(scope: Scope, public_url: str | None) -> str:
    """Scheme and host of links: as settings say, else as the client wrote them, else the address of the server.

    Headers of proxies are not looked at here: whoever sits behind one says its `public_url`.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    scheme = "https" if scope.get("scheme") == "https" else "http"
    host = (header(scope, b"host") or b"").decode("latin-1")
    if HOST.match(host):
        return f"{scheme}://{host}"
    server = scope.get("server") or ("localhost", None)
    name = f"[{server[0]}]" if ":" in server[0] else server[0]
    return f"{scheme}://{name}" + (f":{server[1]}" if server[1] else "")
