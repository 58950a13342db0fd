"""Flask on werkzeug's server, one application for each way of routing; the ports come as arguments."""

import sys
import threading

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import WSGIRequestHandler, make_server

GUARDED = "/api/service/updateInventory"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def answer(served):
    target = request.environ["RAW_URI"]
    return Response(f"{served} {target}\n", headers={"X-Served": served}, mimetype="text/plain")


def other(rest="", **_):
    return answer("other")


class Overrides:
    """The two middlewares that Flask's own documentation and snippets hand out: another method, and a prefix."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if method in METHODS:
            environ["REQUEST_METHOD"] = method
        prefix = environ.get("HTTP_X_SCRIPT_NAME") or environ.get("HTTP_X_FORWARDED_PREFIX") or ""
        if prefix and environ["PATH_INFO"].startswith(prefix):
            environ["SCRIPT_NAME"] = prefix
            environ["PATH_INFO"] = environ["PATH_INFO"][len(prefix):]
        return self.application(environ, start_response)


def post():
    """A route of one method behind the middlewares."""
    application = Flask("post")
    application.add_url_rule(GUARDED, "guarded", lambda: answer("guarded"), methods=["POST"])
    application.add_url_rule("/", "root", other, methods=METHODS)
    application.add_url_rule("/<path:rest>", "other", other, methods=METHODS)
    application.wsgi_app = Overrides(application.wsgi_app)
    return application


def path():
    """The rest of the path as text."""
    application = Flask("path")
    application.url_map.merge_slashes = False

    def rest(rest=""):
        parts = [part for part in rest.lower().split("/") if part]
        return answer("guarded" if parts[:3] == GUARDED.lower().split("/")[1:] else "other")

    application.add_url_rule("/", "root", rest, methods=METHODS)
    application.add_url_rule("/<path:rest>", "rest", rest, methods=METHODS)
    return application


def named():
    """By host, the one of the proxy in front where it tells one."""
    application = Flask("named", host_matching=True, static_host="static.example")
    application.add_url_rule(GUARDED, "guarded", lambda: answer("guarded"), methods=METHODS, host="oms.example")
    application.add_url_rule("/", "root", other, methods=METHODS, host="<any>")
    application.add_url_rule("/<path:rest>", "other", other, methods=METHODS, host="<any>")
    application.wsgi_app = ProxyFix(application.wsgi_app, x_host=1)
    return application


class Kept(WSGIRequestHandler):
    """Connections are kept, and nothing is logged."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


for make, port in zip([post, path, named], sys.argv[1:], strict=True):
    server = make_server("127.0.0.1", int(port), make(), threaded=True, request_handler=Kept)
    threading.Thread(target=server.serve_forever).start()
