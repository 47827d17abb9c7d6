"""A small Azure Blob client of its own, written from Microsoft's description of SharedKey and of the API.

It shares nothing with the product, so a signature or a name that both sides got wrong cannot pass.
"""
import base64
import email.utils
import hashlib
import hmac
import http.client
import os
import secrets
import ssl
import urllib.parse
import xml.etree.ElementTree as xml

KEY_ID = "507f1f77bcf86cd799439012"
VERSION = "2021-12-02"


def server():
    """What the started server told about itself; ends the test file when servers are to be skipped."""
    if os.environ.get("FIREHOSE_SKIP_SERVERS"):
        print("SKIPPED: FIREHOSE_SKIP_SERVERS is set")
        raise SystemExit(77)
    with open(os.environ["AZURE_ENV_FILE"]) as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


class Azure:
    """One account on one server, path style; a connection for each request."""

    def __init__(self, endpoint, account, key, ca_file=None):
        url = urllib.parse.urlsplit(endpoint)
        self.host, self.port, self.base = url.hostname, url.port, url.path.rstrip("/")
        self.account, self.key = account, base64.b64decode(key)
        self.tls = ssl.create_default_context(cafile=ca_file) if url.scheme == "https" else None

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=60, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def request(self, method, path, query=None, payload=b""):
        target = self.base + urllib.parse.quote(path, safe="/-_.~")
        own = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": VERSION}
        length = str(len(payload)) if payload else ""
        lines = [method, "", "", length, "", "", "", "", "", "", "", ""]
        lines += [f"{name}:{own[name]}" for name in sorted(own)]
        lines.append(f"/{self.account}{target}")
        lines += [f"{name}:{value}" for name, value in sorted((query or {}).items())]
        mac = hmac.new(self.key, "\n".join(lines).encode(), hashlib.sha256).digest()
        headers = {**own, "Authorization": f"SharedKey {self.account}:{base64.b64encode(mac).decode()}"}
        if method == "PUT":
            headers["Content-Length"] = str(len(payload))
        if query:
            target += "?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        connection = self.connect()
        try:
            connection.request(method, target, payload or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {body[:300]!r}")
        return body, answer

    def create_container(self, prefix="e2e"):
        name = f"{prefix}-{secrets.token_hex(6)}"
        self.request("PUT", "/" + name, {"restype": "container"})
        return name

    def get(self, container, key):
        return self.request("GET", f"/{container}/{key}")[0]

    def objects(self, container):
        body, _ = self.request("GET", "/" + container, {"comp": "list", "restype": "container"})
        names = [blob.findtext("Name") for blob in xml.fromstring(body).iter("Blob")]
        return {name: self.get(container, name) for name in names}


def connect(secure=False):
    at = server()
    return Azure(at["AZURE_TLS_ENDPOINT" if secure else "AZURE_ENDPOINT"], at["AZURE_ACCOUNT"], at["AZURE_KEY"],
                 at["AZURE_CA_FILE"] if secure else None)


def credential(secure=False):
    """The credential object for the configuration; the connection string comes from the environment."""
    one = {"type": "token", "token": {"env": "E2E_AZURE"}}
    if secure:
        one["ca_file"] = server()["AZURE_CA_FILE"]
    return {KEY_ID: one}


def target(container, prefix="", **more):
    return {"enabled": True, "credential_id": KEY_ID, "bucket": container, "prefix": prefix, **more}


def environment(secure=False):
    at = server()
    endpoint = at["AZURE_TLS_ENDPOINT" if secure else "AZURE_ENDPOINT"]
    return {"E2E_AZURE": f"BlobEndpoint={endpoint};AccountName={at['AZURE_ACCOUNT']};AccountKey={at['AZURE_KEY']}"}
