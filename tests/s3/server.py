"""A real S3 server (s3proxy, on a folder) on a free port, for tests.

    with S3() as s3:
        s3.url("checkpoints")     # "s3://bucket/checkpoints"
        s3.env                    # what a process needs to get in: AWS_*
        s3.kill(); s3.start()     # SIGKILL, then up again: same port, same objects

It checks signatures, and of two that create an object at once only one gets through (not so for
If-Match, which nothing here uses). The jar is fetched by `./dev`. SLUICE_S3_SERVER=PROGRAM takes
versitygw instead, where somebody has built it. The server dies with the thread that started it.
"""
import atexit
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "kafka"))

import kit  # noqa: E402  (found by the path above)
from broker import die_with_parent  # noqa: E402

JAR = os.path.join(kit.ROOT, ".cache", "s3", "s3proxy-4.1.0-jar-with-dependencies.jar")
ACCESS_KEY, SECRET_KEY = "AKIDTEST", "SECRETTEST"
BUCKET = "bucket"
JVM = ["-Xss256k", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"]


class S3:
    def __init__(self, program=os.environ.get("SLUICE_S3_SERVER"), heap_mb=128):
        """`heap_mb`: it holds an object whole while it is put under a condition, several times over."""
        self.program = program
        self.heap_mb = heap_mb
        self.folder = tempfile.mkdtemp(prefix="sluice-s3-")
        self.objects = os.path.join(self.folder, "objects")  # a bucket is a folder in it
        os.makedirs(os.path.join(self.objects, BUCKET))
        self.process = self.port = None
        atexit.register(self.close)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # -- life cycle

    def start(self, timeout_s=30):
        """Start (or start again, on the same port and objects) and wait until it answers."""
        for _ in range(3):
            port = self.port or free_port()
            self.spawn(port)
            if self.wait_until_it_answers(port, timeout_s):
                self.port = port
                return self
        log = self.log()
        self.close()
        raise kit.KitError("the S3 server did not start:\n" + log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    # -- what tests ask

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self):
        return environment(self.endpoint)

    def url(self, prefix=""):
        return f"s3://{BUCKET}/{prefix}"

    def names(self, prefix=""):
        """Names of the objects below `prefix`, in order, read from the server's folder."""
        root = os.path.join(self.objects, BUCKET)
        found = (os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, names in os.walk(root) for name in names)
        return sorted(name for name in found if name.startswith(prefix))

    def path(self, name):
        """The file in which the server keeps an object; tests damage it."""
        return os.path.join(self.objects, BUCKET, name)

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return file.read()[-4000:]

    # -- helpers

    def spawn(self, port):
        command, env = self.command(port)
        with open(os.path.join(self.folder, "log"), "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, **env), preexec_fn=die_with_parent)

    def command(self, port):
        if self.program:
            return ([self.program, "--quiet", "--port", f"127.0.0.1:{port}", "posix", self.objects],
                    {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY})
        if not os.path.exists(JAR):
            raise kit.KitError("no S3 server in .cache/s3: ./dev test fetches it")
        properties = {"s3proxy.endpoint": f"http://127.0.0.1:{port}",
                      "s3proxy.authorization": "aws-v4", "s3proxy.identity": ACCESS_KEY,
                      "s3proxy.credential": SECRET_KEY, "jclouds.provider": "filesystem-nio2",
                      "jclouds.filesystem.basedir": self.objects}
        path = os.path.join(self.folder, "s3proxy.conf")
        with open(path, "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in properties.items())
        return [kit.java(), f"-Xmx{self.heap_mb}m", *JVM, "-jar", JAR, "--properties", path], {}

    def wait_until_it_answers(self, port, timeout_s):
        deadline = time.monotonic() + kit.patience(timeout_s)
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                one = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                one.request("GET", "/")
                one.getresponse().read()
                one.close()
                return self.process.poll() is None
            except OSError:
                time.sleep(0.02)
        if self.process.poll() is None:
            self.kill()
        return False


def environment(endpoint):
    """What lets a process use a server of these tests, and nothing else it may find."""
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1",
            "AWS_SESSION_TOKEN": "", "AWS_CA_BUNDLE": ""}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
