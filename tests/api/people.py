"""People of the tests: made in the database, and coming in over HTTP as a browser does."""

from typing import Any

import httpx

from api.credentials import COOKIE, CSRF_COOKIE, CSRF_HEADER
from storage.access import passwords, people
from storage.access.roles import NATION, Reach, Role
from tests.api.world import do

PASSWORD = "correct horse battery"
KEPT = passwords.hashed(PASSWORD)


def make_person(
    dsn: str, username: str, role: Role, reach: Reach = NATION, *, must_change: bool = False
) -> None:
    async def work(conn: Any) -> None:
        person = people.NewPerson(username, role, reach)
        await people.create(conn, person, KEPT, must_change=must_change)

    do(dsn, work)


class Browser:
    """Somebody's browser: it keeps cookies, also those that want TLS, and sends the CSRF header."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, *, csrf: str | None = None, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers[CSRF_HEADER] = self.cookies.get(CSRF_COOKIE, "") if csrf is None else csrf
        address = f"{self.base}/api/v1{path}"
        answer = httpx.request(method, address, headers=headers, timeout=30, **options)
        for said in answer.headers.get_list("set-cookie"):
            name, _, rest = said.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return answer

    def sign_in(self, username: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        body = {"username": username, "password": password, **more}
        answer: httpx.Response = self.ask("POST", "/session", json=body)
        return answer

    @property
    def is_in(self) -> bool:
        return COOKIE in self.cookies
