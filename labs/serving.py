"""What the app serves beside Gradio: static files that browsers keep for ever, texts, health.

Gradio's own assets and ours are compressed once and sent with an immutable cache header; ours live
under a prefix that names their content, so that a new release is a new address.
"""

import hashlib
import inspect
import mimetypes
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import brotli
import gradio as gr
import plotly
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from labs.lab import Lab
from labs.scene import Json
from labs.text import LANGUAGES, lab_text

ROOT = Path(__file__).parents[1]
_COMPRESSED = {".js", ".mjs", ".css", ".svg", ".json", ".html"}
_SERVED = _COMPRESSED | {".woff2", ".png", ".webp", ".jpg", ".ico"}
# Said here, as the machine's own table differs from one to the next.
_KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2"}


class StaticFiles:
    """The files of static/ that a browser may ask for, under a prefix made of their content."""

    def __init__(self, folder: Path, extra: dict[str, Path]) -> None:
        self._folder = folder
        self._extra = extra

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every served file by its address below the prefix."""
        found = {
            path.relative_to(self._folder).as_posix(): path
            for path in sorted(self._folder.rglob("*"))
            if path.suffix in _SERVED and path.is_file()
        }
        return found | self._extra

    @cached_property
    def prefix(self) -> str:
        """Returns "static/<digest>", relative to the page."""
        digest = hashlib.sha256()
        for address, path in self.files.items():
            digest.update(address.encode())
            stat = path.stat()
            digest.update(
                path.read_bytes() if stat.st_size < 200_000 else str(stat.st_size).encode()
            )
        return f"static/{digest.hexdigest()[:12]}"


STATIC = StaticFiles(
    ROOT / "static",
    {"plotly.min.js": Path(plotly.__file__).parent / "package_data" / "plotly.min.js"},
)
GRADIO_ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"


class Assets:
    """ASGI middleware that answers for immutable files and passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the asset that `scope` asks for, or lets the app behind it answer."""
        path = _asset(scope["path"]) if scope["type"] == "http" else None
        if path is None or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"").decode("latin-1")
        response = _file(path, "br" in accepted)
        await response(scope, receive, send)


def _asset(address: str) -> Path | None:
    """Returns the file behind an address, looked up by name so that no path can escape."""
    if address.startswith("/assets/"):
        return _gradio_assets().get(address.removeprefix("/assets/"))
    if address.startswith(f"/{STATIC.prefix}/"):
        return STATIC.files.get(address.removeprefix(f"/{STATIC.prefix}/"))
    return None


@cache
def _gradio_assets() -> dict[str, Path]:
    return {path.name: path for path in GRADIO_ASSETS.iterdir() if path.suffix in _SERVED}


def _file(path: Path, brotli_accepted: bool) -> Response:
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "Accept-Encoding"}
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    compress = path.suffix in _COMPRESSED and brotli_accepted
    if compress:
        headers["content-encoding"] = "br"
    return Response(_content(path, compress), headers=headers, media_type=kind)


@cache
def _content(path: Path, compress: bool) -> bytes:
    raw = path.read_bytes()
    if not compress:
        return raw
    return bytes(brotli.compress(raw, quality=9 if len(raw) < 200_000 else 5))


def middleware() -> list[Middleware]:
    """Returns what to put in front of Gradio's app."""
    return [Middleware(Assets)]


def routes(labs: Sequence[Lab]) -> list[BaseRoute]:
    """Returns the app's own addresses: /healthz, and each lab's texts as JSON."""
    by_slug = {lab.slug: lab for lab in labs}

    def health(request: Request) -> Response:
        del request
        return PlainTextResponse("ok")

    def texts(request: Request) -> Response:
        lab = by_slug.get(request.path_params["slug"])
        language = request.path_params["language"]
        if lab is None or language not in LANGUAGES:
            return PlainTextResponse("There is no such text.", status_code=404)
        return JSONResponse(_texts(lab, language), headers={"cache-control": "no-cache"})

    return [Route("/healthz", health), Route("/texts/{slug}.{language}.json", texts)]


def _texts(lab: Lab, language: str) -> Json:
    """Returns what the folds of `lab` show: prose, papers and source."""
    papers = [paper._asdict() for paper in lab.papers]
    code = {f"{item.__module__}.{item.__qualname__}": _source(item) for item in lab.code}
    return {**lab_text(lab.slug, language), "papers": papers, "code": code}


def _source(item: object) -> Json:
    """Returns the very source of a function or class, highlighted, with its place in the repo."""
    lines, first = inspect.getsourcelines(item)  # type: ignore[arg-type]
    file = Path(inspect.getsourcefile(item) or "")  # type: ignore[arg-type]
    html = highlight("".join(lines), PythonLexer(), HtmlFormatter(nowrap=True))
    return {
        "file": file.relative_to(ROOT).as_posix(),
        "first": first,
        "lines": html.rstrip("\n").split("\n"),
    }
