"""Health, readiness, metrics; and a database that goes away and comes back."""

import asyncio

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from api.app import create_app
from api.options import ApiOptions
from storage.database import open_pool
from tests.api.server import running


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_probes_are_found_where_they_are_looked_for(api, prefix):
    base = str(api.nobody.http.base_url)
    assert httpx.get(f"{base}{prefix}/health").json() == {"status": "alive"}
    assert httpx.get(f"{base}{prefix}/ready").json() == {"status": "ready"}
    assert "hanhtrinh_api_requests_total" in httpx.get(f"{base}{prefix}/metrics").text


def test_metrics_count_requests_by_route_and_never_by_address(api):
    api.inspector.get(f"/vehicles/{api.world.n1}")
    for number in range(5):
        httpx.get(f"{api.nobody.http.base_url}/api/v1/nonsense/{number}")
    httpx.request("BREW", f"{api.nobody.http.base_url}/api/v1/vehicles")
    text = api.nobody.ask("GET", "/metrics").text
    assert 'method="GET",route="/api/v1/vehicles/{vehicle_id}",status="200"' in text
    assert 'route="unmatched",status="404"' in text
    assert "nonsense" not in text
    assert "BREW" not in text
    assert "hanhtrinh_api_request_seconds_bucket" in text
    assert "hanhtrinh_api_pool_connections" in text


def test_an_empty_database_is_not_ready_and_says_what_to_do(empty_database):
    with running(empty_database) as (_, base):
        answer = httpx.get(f"{base}/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "hanhtrinh migrate" in answer.json()["detail"]


def test_a_database_that_goes_away_is_said_so_and_found_again(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name:
        dsn = postgres.dsn_of(name)
        gone = f"{name}_gone"
        headers = {"Authorization": "Bearer ht_" + "x" * 43}
        with running(dsn) as (_, base), postgres.admin() as admin:
            assert httpx.get(f"{base}/api/v1/vehicles", headers=headers).status_code == 401
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            for before, after in ((name, gone), (gone, name)):
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [before],
                )
                admin.execute(rename.format(sql.Identifier(before), sql.Identifier(after)))
                if after == gone:
                    assert httpx.get(f"{base}/health").status_code == 200
                    ready = httpx.get(f"{base}/ready", timeout=30)
                    assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
                    answer = httpx.get(f"{base}/api/v1/vehicles", headers=headers, timeout=30)
                    assert answer.status_code == 503
                    assert answer.json()["code"] == "database_unavailable"
                    assert answer.headers["retry-after"]
            answer = httpx.get(f"{base}/api/v1/vehicles", headers=headers, timeout=30)
            assert answer.status_code == 401


def test_the_application_works_on_a_pool_it_is_given_and_leaves_it_open(database):
    async def main():
        pool = await open_pool(database, name="test", min_size=1, max_size=2)
        try:
            app = create_app(ApiOptions(), pool)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                answer = await client.get("/api/v1/ready")
            assert not pool.closed
            return answer.status_code
        finally:
            await pool.close()

    assert asyncio.run(main()) == 200


def test_a_connection_goes_back_without_its_role(database):
    """Sessions of the pool are the owner's between requests: scopes are those of transactions."""

    async def main():
        pool = await open_pool(database, name="test", min_size=1, max_size=1)
        try:
            transport = httpx.ASGITransport(app=create_app(ApiOptions(), pool))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                await client.get(
                    "/api/v1/vehicles", headers={"Authorization": "Bearer ht_" + "x" * 43}
                )
            async with pool.connection() as conn:
                found = await conn.execute(
                    "SELECT current_user, current_setting('hanhtrinh.role', true)"
                )
                return await found.fetchone()
        finally:
            await pool.close()

    user, role = asyncio.run(main())
    assert user == conninfo_to_dict(database)["user"]
    assert not role


def test_the_database_has_no_connection_left_of_a_stopped_server(database):
    with running(database):
        pass
    with psycopg.connect(database) as conn:
        found = conn.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = 'hanhtrinh api' AND datname = current_database()"
        ).fetchone()
    assert found == (0,)


@pytest.mark.parametrize("path", ["/health", "/vehicles", "/nonsense", "/docs", "/session"])
def test_every_answer_tells_browsers_what_not_to_do_with_it(api, path):
    headers = httpx.get(f"{api.nobody.http.base_url}/api/v1{path}").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    # Over plain HTTP, a browser must not be told to come over TLS only.
    assert "strict-transport-security" not in headers
