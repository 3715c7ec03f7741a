"""The whole OpenAPI document, tried by schemathesis: made-up requests, checked answers."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.api.server import running
from tests.api.world import build, do, key_of

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance", "ignored_auth",
    "unsupported_method", "allow_header_conformance",
)  # fmt: skip
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PROGRAM = f"""
import schemathesis
from schemathesis.cli import schemathesis as program

schemathesis.serializer.alias("{XLSX}", "application/octet-stream")
program()
"""
DEEP = "HANHTRINH_TEST_DEEP" in os.environ
"""Try every boundary of every parameter as well: 7,000 requests, a minute of processor time."""


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_no_operation_fails_or_answers_otherwise_than_documented(database, tmp_path):
    build(database)
    key = do(database, lambda conn: key_of(conn, "administrator"))
    with running(database) as (_, base):
        done = subprocess.run(
            [
                sys.executable, "-c", PROGRAM, "run", f"{base}/api/v1/openapi.json",
                "--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS),
                "--phases", "examples,fuzzing,coverage" if DEEP else "examples,fuzzing",
                "--max-examples", "20" if DEEP else "3", "--seed", "1",
                "--generation-database", "none", "--request-timeout", "60", "--no-color",
                "--suppress-health-check", "all", "--warnings", "off",
            ],
            capture_output=True, text=True, timeout=280, check=False,
            env={**os.environ, "NO_PROXY": "127.0.0.1"}, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
