"""A stand-in for the Hugging Face Hub: repositories in memory, served on a local port."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Hub:
    """Files by repository and revision; `main` is the newest commit."""

    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    gated: set[str] = field(default_factory=set)
    url: str = ""

    def add(self, repo: str, files: dict[str, bytes], *names: str) -> str:
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        revisions = self.repos.setdefault(repo, {})
        for name in (sha, "main", *names):
            revisions[name] = files
        return sha

    def commit_of(self, repo: str, revision: str) -> str:
        files = self.repos[repo][revision]
        return next(sha for sha, content in self.repos[repo].items() if len(sha) == 40 and content is files)


def serve(hub: Hub) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def json(self, content: object, code: int = 200) -> None:
            self.answer(code, json.dumps(content).encode(), {"Content-Type": "application/json"})

        def fail(self, code: int, error: str) -> None:
            self.answer(code, b"", {"X-Error-Code": error, "X-Error-Message": error})

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            hub.requests.append(f"{self.command} {path}")
            match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            if not match or match[1] not in hub.repos:
                return self.fail(404, "RepoNotFound")
            repo, revision, file = match.groups()
            if repo in hub.gated:
                return self.fail(403, "GatedRepo")
            if revision not in hub.repos[repo]:
                return self.fail(404, "RevisionNotFound")
            sha = hub.commit_of(repo, revision)
            content = hub.repos[repo][revision].get(file)
            if content is None:
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            etag = hashlib.sha256(content).hexdigest()
            return self.answer(200, content, {"X-Repo-Commit": sha, "ETag": f'"{etag}"'})

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            hub.requests.append(f"POST {path}")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != "Bearer right":
                return self.answer(401, b"", {"X-Error-Message": "Invalid credentials"})
            if path == "/api/repos/create":
                wanted = json.loads(body)
                repo = f"{wanted['organization']}/{wanted['name']}"
                code = 409 if repo in hub.repos else 200
                hub.repos.setdefault(repo, {})
                return self.json({"url": f"{hub.url}/{repo}", "name": repo, "id": repo}, code)
            if path == "/api/validate-yaml":
                return self.json({"errors": [], "warnings": []})
            if match := re.fullmatch(r"/api/models/(.+)/preupload/main", path):
                files = json.loads(body)["files"]
                modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
                return self.json({"files": modes})
            if match := re.fullmatch(r"/api/models/(.+)/commit/main", path):
                lines = [json.loads(line) for line in body.splitlines()]
                files = {
                    line["value"]["path"]: base64.b64decode(line["value"]["content"])
                    for line in lines
                    if line["key"] == "file"
                }
                sha = hub.add(match[1], files)
                return self.json({"commitUrl": f"{hub.url}/{match[1]}/commit/{sha}", "commitOid": sha})
            return self.fail(404, "RepoNotFound")

    return Handler
