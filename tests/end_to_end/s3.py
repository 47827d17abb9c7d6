"""A small S3 client of its own, written from AWS's description of Signature Version 4 and of the API.

It shares nothing with the product, so a signature or a key that both sides got wrong cannot pass.
"""
import datetime
import hashlib
import hmac
import http.client
import itertools
import os
import secrets
import ssl
import urllib.parse
import xml.etree.ElementTree as xml

KEY_ID = "507f1f77bcf86cd799439011"

# Members of `delivery`. On a machine that is starved the server may answer after half a minute; a test in which it is
# well and everything must arrive in one run has to wait for that.
PATIENCE = {"timeout_ms": 600_000, "first_byte_timeout_ms": 300_000, "progress_timeout_ms": 300_000,
            "connect_timeout_ms": 300_000}  # fmt: skip


def server():
    """What the started server told about itself; ends the test file when servers are to be skipped."""
    if os.environ.get("FIREHOSE_SKIP_SERVERS"):
        print("SKIPPED: FIREHOSE_SKIP_SERVERS is set")
        raise SystemExit(77)
    with open(os.environ["S3_ENV_FILE"]) as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


class S3:
    """One user of one server; path style; one connection, made again when it went away."""

    def __init__(self, endpoint, access_key, secret_key, ca_file=None, region="us-east-1"):
        url = urllib.parse.urlsplit(endpoint)
        self.host, self.port, self.secure = url.hostname, url.port, url.scheme == "https"
        self.access_key, self.secret_key, self.region = access_key, secret_key, region
        self.tls = ssl.create_default_context(cafile=ca_file) if self.secure else None
        self.connection = None

    def connect(self):
        if self.secure:
            return http.client.HTTPSConnection(self.host, self.port, timeout=60, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def sign(self, method, path, query, payload):
        """The headers of a request. `path` and `query` are encoded already."""
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        digest = hashlib.sha256(payload).hexdigest()
        signed = {"host": f"{self.host}:{self.port}", "x-amz-content-sha256": digest, "x-amz-date": stamp}
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            [method, path, query, *(f"{k}:{signed[k]}" for k in sorted(signed)), "", names, digest]
        )
        scope = f"{day}/{self.region}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"{self.access_key}/{scope}"
        authorization = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
        return {**signed, "authorization": authorization}

    def request(self, method, path, query=None, payload=b""):
        encoded_path = urllib.parse.quote(path, safe="/-_.~")
        pairs = sorted((query or {}).items())
        encoded = "&".join(f"{k}={urllib.parse.quote(v, safe='-_.~')}" for k, v in pairs)
        for attempt in itertools.count():
            try:
                self.connection = self.connection or self.connect()
                target = encoded_path + ("?" + encoded if encoded else "")
                headers = self.sign(method, encoded_path, encoded, payload)
                self.connection.request(method, target, payload or None, headers)
                answer = self.connection.getresponse()
                body = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt == 2:
                    raise
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {body[:300]!r}")
        return body, answer

    def create_bucket(self, prefix="e2e"):
        name = f"{prefix}-{secrets.token_hex(6)}"
        self.request("PUT", "/" + name)
        return name

    def keys(self, bucket, prefix=""):
        found, more = [], {}
        while True:
            query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, **more}
            body, _ = self.request("GET", "/" + bucket, query)
            page = xml.fromstring(body)
            space = page.tag[: page.tag.index("}") + 1] if page.tag.startswith("{") else ""
            for item in page.findall(space + "Contents"):
                found.append(urllib.parse.unquote_plus(item.findtext(space + "Key")))
            if page.findtext(space + "IsTruncated") != "true":
                return found
            more = {"continuation-token": page.findtext(space + "NextContinuationToken")}

    def get(self, bucket, key):
        body, answer = self.request("GET", f"/{bucket}/{key}")
        return body, answer.getheader("content-type")

    def objects(self, bucket, prefix=""):
        return {key: self.get(bucket, key)[0] for key in self.keys(bucket, prefix)}


def connect(secure=False):
    at = server()
    endpoint = at["S3_TLS_ENDPOINT" if secure else "S3_ENDPOINT"]
    return S3(endpoint, at["S3_ACCESS_KEY"], at["S3_SECRET_KEY"], at["S3_CA_FILE"] if secure else None)


def credential(endpoint=None, secure=False, password=None):
    """The credential object for the configuration; the secret comes from the environment."""
    at = server()
    one = {
        "type": "user",
        "username": at["S3_ACCESS_KEY"],
        "password": password or {"env": "E2E_SECRET"},
        "endpoint": endpoint or at["S3_TLS_ENDPOINT" if secure else "S3_ENDPOINT"],
    }
    if secure:
        one["ca_file"] = at["S3_CA_FILE"]
    return {KEY_ID: one}


def environment():
    return {"E2E_SECRET": server()["S3_SECRET_KEY"]}


def target(bucket, prefix="", **more):
    return {"enabled": True, "credential_id": KEY_ID, "bucket": bucket, "prefix": prefix, **more}
