"""A real Apache Kafka broker in a folder of its own, on free ports, for tests.

    with Broker() as broker:                       # formats, starts, waits until it serves
        broker.client.create_topic("in", partitions=4)
        ...                                        # broker.bootstrap is what a client connects to
        broker.kill(); broker.start()              # SIGKILL, then up again: same ports, same data

`Broker(secure=True)` has four more listeners (`broker.address(NAME)`): "sasl" (SASL PLAIN without
TLS), "tls", "mtls" (client certificate required) and "sasl_tls"; `broker.certs` has the files,
USER and PASSWORD the account. `broker.client` always uses the plain listener.
`Broker(proxy=PORT)` has one more, "proxied", that tells its clients to come by way of PORT.
The broker dies with the thread that started it (Linux, PR_SET_PDEATHSIG): start it from the main one.
"""
import atexit
import base64
import ctypes
import os
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time
import uuid

import kit
from certs import Certs
from client import Client

USER, PASSWORD = "alice", "alice-secret"
STARTED = "Kafka Server started"
PROTOCOLS = {"plaintext": "PLAINTEXT", "sasl": "SASL_PLAINTEXT", "tls": "SSL", "mtls": "SSL",
             "sasl_tls": "SASL_SSL", "proxied": "PLAINTEXT"}
PR_SET_PDEATHSIG = 1
JVM = ["-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xss256k", "-Djava.awt.headless=true", kit.LOGGING]
LEAN = ["-XX:TieredStopAtLevel=1", "-XX:CICompilerCount=1"]
MEASURE_HEAP_MB = 1024


class Broker:
    def __init__(self, folder=None, secure=False, settings=None, heap_mb=256, detached=False,
                 measure=False, node=1, proxy=None, libs=kit.LATEST):
        """`settings`: more server.properties as a dict. `detached`: outlives this process. `measure`:
        for benchmarks, all of Java's compilers and a heap of 1 GB. `node`: its id; quorum.py sets
        `voters` and `cluster_id`, for several that work together. `libs`: its release (kit.py)."""
        self.folder = folder or tempfile.mkdtemp(prefix="sluice-kafka-")
        self.own_folder = folder is None
        self.settings = dict(settings or {})
        self.heap_mb = MEASURE_HEAP_MB if measure else heap_mb
        self.measure, self.jvm = measure, JVM if measure else JVM + LEAN
        self.detached = detached
        self.process = None
        self.ports = {}
        self.certs = Certs(os.path.join(self.folder, "certs")) if secure else None
        self.names = [name for name in PROTOCOLS if name != "proxied"] if secure else ["plaintext"]
        if proxy:
            self.names.append("proxied")
        self.node, self.proxy, self.libs = node, proxy, libs
        self.voters = None
        self.is_first = False   # nobody of its name was there before
        self.cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._client = None
        if not detached:
            atexit.register(self.close)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # -- life cycle

    def start(self, timeout_s=180, jvm=()):
        """Start (or start again, on the same ports and data) and wait until it serves."""
        first = not self.process
        for attempt in range(3):
            if first and not self.voters:
                self.pick_ports()
            if first:
                self.format()
            self.spawn(list(jvm))
            if self.wait_until_started(timeout_s):
                return self
            if not (first and "Address already in use" in self.log_tail()):
                break
        tail = self.log_tail()
        self.close()
        raise kit.KitError("the broker did not start:\n" + tail)

    def revive(self, ports, timeout_s=60):
        """Start on the ports and data that one of an earlier process left in the folder."""
        self.ports = ports
        self.spawn([])
        if not self.wait_until_started(timeout_s):
            raise kit.KitError("the broker did not start again (./dev kafka stop removes its data):\n"
                               + self.log_tail())

    def stop(self, timeout_s=60):
        """SIGTERM and wait."""
        self.signal(signal.SIGTERM)
        self.process.wait(kit.patience(timeout_s))

    def kill(self):
        """SIGKILL and wait."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def close(self):
        """End everything and remove the folder."""
        if self._client:
            self._client.close()
            self._client = None
        if self.process and self.process.poll() is None:
            self.kill()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    # -- what tests ask

    @property
    def bootstrap(self):
        return self.address("plaintext")

    def address(self, listener):
        return f"127.0.0.1:{self.ports[listener]}"

    def advertised(self, listener):
        return f"127.0.0.1:{self.proxy}" if listener == "proxied" else self.address(listener)

    @property
    def client(self):
        """The oracle's eye: a Java client in a process of its own (see client.py)."""
        if not self._client:
            self._client = Client(self.bootstrap, measure=self.measure)
        return self._client

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def log_tail(self, length=4000):
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()[-length:]
        except FileNotFoundError:
            return ""

    # -- helpers

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    @property
    def log_path(self):
        return os.path.join(self.folder, "broker.log")

    def signal(self, number):
        if not self.running:
            raise kit.KitError("the broker is not running")
        self.process.send_signal(number)

    def pick_ports(self):
        sockets = {name: socket.socket() for name in self.names + ["controller"]}
        for name, one in sockets.items():
            one.bind(("127.0.0.1", 0))
            self.ports[name] = one.getsockname()[1]
        for one in sockets.values():
            one.close()

    def format(self):
        source = kit.formatted_storage(self.properties, self.libs)
        shutil.rmtree(self.data, ignore_errors=True)
        os.makedirs(self.folder, exist_ok=True)
        shutil.copytree(source, self.data)
        self.set_meta()
        self.is_first = True

    def set_meta(self):
        """Brokers copied from one formatted folder must not look like one cluster, nor like one node."""
        path = os.path.join(self.data, "meta.properties")
        directory = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        with open(path, "w") as file:
            file.write(f"version=1\ncluster.id={self.cluster_id}\nnode.id={self.node}\n"
                       f"directory.id={directory}\n")

    def properties(self, data):
        with open(os.path.join(kit.HERE, "server.properties")) as file:
            template = string.Template(file.read())
        text = template.substitute(
            data=data, controller_port=self.ports["controller"], node=self.node,
            voters=self.voters or f"{self.node}@127.0.0.1:{self.ports['controller']}",
            listeners=",".join(f"{n.upper()}://{self.address(n)}" for n in self.names),
            advertised=",".join(f"{n.upper()}://{self.advertised(n)}" for n in self.names),
            protocols=",".join(f"{n.upper()}:{PROTOCOLS[n]}" for n in self.names))
        more = dict(self.session(), **self.security())
        more.update(self.settings)
        return text + "".join(f"{name}={value}\n" for name, value in more.items())

    def session(self):
        """One that was killed comes back when its session is over; else it may last, as a second is soon gone on
        a loaded machine."""
        last = self.is_first and not self.voters
        return {"broker.session.timeout.ms": 18_000 if last else kit.session_ms()}

    def security(self):
        if not self.certs:
            return {}
        login = ("org.apache.kafka.common.security.plain.PlainLoginModule required "
                 f'user_{USER}="{PASSWORD}";')
        settings = {"sasl.enabled.mechanisms": "PLAIN", "ssl.keystore.type": "PEM",
                    "ssl.keystore.location": self.certs.broker_store, "ssl.truststore.type": "PEM",
                    "ssl.truststore.location": self.certs.ca,
                    "listener.name.mtls.ssl.client.auth": "required"}
        for name in ("sasl", "sasl_tls"):
            settings[f"listener.name.{name}.plain.sasl.jaas.config"] = login
        return settings

    def spawn(self, jvm):
        with open(os.path.join(self.folder, "server.properties"), "w") as file:
            file.write(self.properties(self.data))
        self.is_first = False
        archive = kit.archive(self.libs)
        if os.path.exists(archive):
            os.utime(archive)
            jvm = jvm + ["-XX:SharedArchiveFile=" + archive]
        command = [kit.java(), f"-Xmx{self.heap_mb}m", *self.jvm, *jvm, "-cp",
                   kit.class_path(self.libs), "kafka.Kafka", os.path.join(self.folder, "server.properties")]
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=self.detached,
                preexec_fn=None if self.detached else die_with_parent)

    def wait_until_started(self, timeout_s, give_up=True):
        """Look for the line in its own log: a port that answers may be somebody else's. When the time is
        up it is killed, unless not `give_up`."""
        deadline = time.monotonic() + (kit.patience(timeout_s) if give_up else timeout_s)
        while time.monotonic() < deadline:
            if STARTED in self.log_tail(1 << 20):
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        if give_up:
            self.kill()
        return False


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def prepare(*releases):
    """Make what is made once: the test client's classes and, for each of these releases, the class-data
    archive (a broker then starts in 1.8 s instead of 2.8)."""
    kit.client_classes()
    for libs in releases:
        if not os.path.exists(kit.archive(libs)):
            print("kafka: first start, making the class-data archive")
            make_archive(libs)


def make_archive(libs):
    archive = kit.archive(libs)
    fresh = f"{archive}.{os.getpid()}"
    with Broker(libs=libs) as broker:
        broker.stop()
        broker.start(jvm=["-XX:ArchiveClassesAtExit=" + fresh])
        broker.client.create_topic("warm-up", partitions=1)
        broker.client.produce("warm-up", [{"value": b"x"}])
        broker.client.close()
        broker.stop()
    for old in set(kit.archives()) - {fresh}:
        if kit.is_unused(old):
            os.unlink(old)
    os.rename(fresh, archive)
