"""A running API and a client that holds every answer against the documented models."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from psycopg.conninfo import make_conninfo
from pydantic import BaseModel

from api.app import serve_app
from api.models.journeys import JourneyCollection
from api.models.service import ProblemDetails
from api.models.vehicles import PositionCollection
from api.options import ApiOptions
from storage.access.logins import ensure_login
from storage.migrations import HEAD, current

LIMITLESS = ApiOptions(
    requests_per_s=1e6, address_requests_per_s=1e6, requests_at_once=1000, logins_per_minute=1e6
)
"""Tests ask faster than people."""

GEOJSON: dict[str, type[BaseModel]] = {
    "/api/v1/positions": PositionCollection,
    "/api/v1/vehicles/{vehicle_id}/journey": JourneyCollection,
}


class Client:
    """Asks a running API as the owner of one token (None: as nobody)."""

    def __init__(self, app: FastAPI, base: str, token: str | None) -> None:
        self.app = app
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=base, headers=headers, timeout=30)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send, and check that the answer has the form that the document promises."""
        answer = self.http.request(method, f"/api/v1{path}", **options)
        self.check(answer)
        return answer

    def get(self, path: str, **params: Any) -> Any:
        """The body of a GET that must succeed."""
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def problem(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """Status and code of a request that must fail."""
        answer = self.ask(method, path, **options)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["code"]

    def check(self, answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            problem = ProblemDetails.model_validate(answer.json())
            assert problem.status == answer.status_code
            return
        content = answer.headers["content-type"]
        if content.startswith("text/"):
            return
        path, model = self.promised(answer.request)
        if model is None:  # a file, of whatever format it is
            return
        if content == "application/geo+json":
            GEOJSON[path].model_validate_json(answer.content)
        else:
            assert content == "application/json"
            model.model_validate_json(answer.content)

    def promised(self, request: httpx.Request) -> tuple[str, type[BaseModel] | None]:
        """The route that answers a request, and the model of its answer, if that is JSON."""
        path = request.url.path
        for template, operations in document()["paths"].items():
            method = request.method.lower()
            if method in operations and matches(template, path):
                model = models(self.app)[template, request.method]
                return template, model
        raise AssertionError(f"{request.method} {path} is not documented")


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, which takes a second to write: the same for every app."""
    return serve_app(ApiOptions(), "").openapi()


def matches(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        part == got or part.startswith("{") for part, got in zip(wanted, given, strict=True)
    )


def models(app: FastAPI) -> dict[tuple[str, str], type[BaseModel] | None]:
    """The response model of every route, by path and method."""
    from api.access import ROOT
    from api.app import RESOURCES
    from api.resources import imports, registry, service

    found = {}
    routers = [resource.router for resource in (*RESOURCES, service)]
    further = (registry.authority, registry.own, registry.health, imports.authority, imports.own)
    for router in (*routers, *further):
        for route in router.routes:
            for method in route.methods:
                path = ROOT + route.path.removeprefix(ROOT)
                found[path, method] = route.response_model
    return found


def as_api(dsn: str) -> str:
    """The same database, as a user that owns nothing; as its owner, if it has no roles yet."""
    api = make_conninfo(dsn, user="hanhtrinh_test_api", password="only-for-tests")
    if current(dsn) != HEAD:
        return dsn
    ensure_login(dsn, api)
    return api


@contextmanager
def running(dsn: str, options: ApiOptions | None = None) -> Iterator[tuple[FastAPI, str]]:
    """A server on a free loopback port, and its address."""
    app = serve_app(options or LIMITLESS, as_api(dsn), pool_size=4)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # The socket is open already: the first request waits until the server takes it.
        httpx.get(f"{base}/health", timeout=30).raise_for_status()
        yield app, base
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
