"""A throw-away certificate authority for tests: one CA, the broker's certificate for 127.0.0.1 and
localhost, a client's certificate, and a second CA that nobody trusts. All PEM, made by openssl."""
import os

from kit import run_or_fail

EXTENSIONS = "subjectAltName=IP:127.0.0.1,DNS:localhost\n"


class Certs:
    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.ca = self.make_authority("ca")                # trusted by broker and clients
        self.other_ca = self.make_authority("other_ca")    # trusted by nobody
        self.broker_cert, self.broker_key = self.make_pair("broker", "ca")
        self.client_cert, self.client_key = self.make_pair("client", "ca")
        self.other_cert, self.other_key = self.make_pair("other", "other_ca")
        # what Kafka calls a PEM key store
        self.broker_store = self.join("broker_store.pem", self.broker_key, self.broker_cert)
        self.client_store = self.join("client_store.pem", self.client_key, self.client_cert)
        self.other_store = self.join("other_store.pem", self.other_key, self.other_cert)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_authority(self, name):
        cert, key = self.path(name + ".pem"), self.path(name + ".key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                "/CN=sluice test " + name, "-keyout", key, "-out", cert)
        return cert

    def make_pair(self, name, authority):
        cert, key, request = (self.path(name + end) for end in (".pem", ".key", ".csr"))
        extensions = self.path("extensions.txt")
        with open(extensions, "w") as file:
            file.write(EXTENSIONS)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout", key,
                "-out", request)
        openssl("x509", "-req", "-days", "30", "-in", request, "-CA", self.path(authority + ".pem"),
                "-CAkey", self.path(authority + ".key"), "-CAcreateserial", "-extfile", extensions,
                "-out", cert)
        return cert, key

    def join(self, name, *parts):
        with open(self.path(name), "w") as file:
            for part in parts:
                with open(part) as source:
                    file.write(source.read())
        return self.path(name)


def openssl(*arguments):
    run_or_fail(["openssl", *arguments], "openssl " + arguments[0])
