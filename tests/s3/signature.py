"""Whether a request is signed rightly (AWS Signature Version 4), computed anew by the rules: servers are
more lenient, each in its own way."""
import hashlib
import hmac
import re

AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/(\d{8}/([^/]+)/([^/]+)/aws4_request), "
                           r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$")


def fault_of(method, target, headers, body, secret):
    """What is wrong with the signature, or None. `headers`: pairs; `target`: as on the first line."""
    sent = {name.lower(): " ".join(value.split()) for name, value in headers}
    found = AUTHORIZATION.match(sent.get("authorization", ""))
    if not found:
        return f"not signed: {sent.get('authorization')}"
    scope, _, _, signed, signature = found.groups()
    names = signed.split(";")
    if names != sorted(names):
        return f"headers out of order: {signed}"
    for name in names:
        if name not in sent:
            return f"signed and not sent: {name}"
    for name in sent:
        if name not in names and (name == "host" or name.startswith("x-amz-")):
            return f"sent and not signed: {name}"
    if sent["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
        return "the digest is not the body's"
    path, _, query = target.partition("?")
    if query and query.split("&") != sorted(query.split("&")):
        return f"query out of order: {query}"
    canonical = "\n".join([method, path, query, "".join(f"{name}:{sent[name]}\n" for name in names), signed,
                           sent["x-amz-content-sha256"]])
    text = "\n".join(["AWS4-HMAC-SHA256", sent["x-amz-date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return None if hmac.digest(key, text.encode(), "sha256").hex() == signature else "another signature"
