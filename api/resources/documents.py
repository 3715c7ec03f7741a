"""The page that shows the OpenAPI document, with all that it needs: no other host is asked.

It stands where sessions are, so a script that is not ours to trust could act as whoever reads it.
Swagger UI's files come from an installed package (docs/dependencies.md), and the page's policy lets
its own tags load them and nothing else.
"""

import secrets
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from api.access import ROOT

router = APIRouter(prefix=ROOT, include_in_schema=False)

FOLDER: Final = Path(str(files("fastapi_offline"))) / "static"
"""Of that package only the files are used; its programs look for other pages as well."""

KEPT: Final = {"Cache-Control": "public, max-age=3600"}
"""1.5 MB that are the same for everybody; an update is seen within the hour."""

# validatorUrl: else the document's address would be sent to a service that checks it.
PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hanhtrinh: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" nonce="$nonce" href="docs/swagger-ui.css">
</head>
<body>
<div id="document"></div>
<script nonce="$nonce" src="docs/swagger-ui-bundle.js"></script>
<script nonce="$nonce">
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#document", deepLinking: true, showExtensions: true,
  validatorUrl: null,
});
</script>
</body>
</html>
""")

POLICY: Final = Template(
    "default-src 'none'; script-src 'nonce-$nonce'; style-src 'nonce-$nonce'; img-src data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
"""A nonce is narrower than 'self': tags that bear it run, and no file that anybody else names."""


@router.get("/docs")
async def show_documents() -> HTMLResponse:
    """The page; its nonce is good for this one answer."""
    nonce = secrets.token_urlsafe(16)
    policy = POLICY.substitute(nonce=nonce)
    return HTMLResponse(PAGE.substitute(nonce=nonce), headers={"Content-Security-Policy": policy})


@router.get("/docs/swagger-ui-bundle.js")
async def show_script() -> FileResponse:
    """Swagger UI."""
    return FileResponse(FOLDER / "swagger-ui-bundle.js", media_type="text/javascript", headers=KEPT)


@router.get("/docs/swagger-ui.css")
async def show_style() -> FileResponse:
    """How it looks."""
    return FileResponse(FOLDER / "swagger-ui.css", media_type="text/css", headers=KEPT)
