"""Bare WSGI, for Gunicorn, which takes the front of the path from a header (`SCRIPT_NAME`)."""

GUARDED = "/api/service/updateInventory"


def application(environ, start_response):
    parts = [part for part in environ["PATH_INFO"].lower().split("/") if part]
    served = "guarded" if parts[:3] == GUARDED.lower().split("/")[1:] else "other"
    body = f"{served} {environ['RAW_URI']}\n".encode("latin-1")
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("X-Served", served)]
    start_response("200 OK", fields)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
