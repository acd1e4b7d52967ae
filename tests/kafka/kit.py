"""Where the parts of the Kafka test kit lie, and the one-time work on them.

Everything made here goes into `.cache/kafka` of the checkout (git ignores it): the jars (by `./dev`),
the compiled test client, a formatted storage folder to copy and the broker's class-data archive.
There are two releases of Kafka, each with a folder of jars, `libs`: LATEST, and one for brokers that are
killed alone. Kafka 4.3 may forget to end a transaction of a broker without replicas (KAFKA-20734).
"""
import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("SLUICE_KAFKA_CACHE", os.path.join(ROOT, ".cache", "kafka"))
LATEST, TO_KILL = (os.path.join(CACHE, name) for name in ("libs", "libs-to-kill"))
DAY_S = 86_400
LOGGING = "-Dlog4j2.configurationFile=" + os.path.join(HERE, "log4j2.properties")


def load():
    """How many want a processor, for each there is."""
    return os.getloadavg()[0] / os.cpu_count()


def session_ms(least_ms=1000):
    """How long a broker may be silent that others wait for when it is gone: 1 s where nobody is held up."""
    return int(least_ms * min(max(1, load() / 4), 6))


def patience(seconds):
    """How long to wait for what takes at most so long on a calm machine: longer, since that costs only who fails."""
    return seconds * min(max(3, load()), 12)


class KitError(Exception):
    """The kit is not usable: jars missing, Java missing, a broker that did not come up."""


def java(tool="java"):
    home = os.environ.get("JAVA_HOME")
    path = os.path.join(home, "bin", tool) if home else shutil.which(tool)
    if not path or not os.path.exists(path):
        raise KitError(f"{tool} not found: run ./dev kafka start or ./dev test, which install it")
    return path


def jars(libs=LATEST):
    found = sorted(glob.glob(os.path.join(libs, "*.jar")))
    if not found:
        raise KitError(f"no Kafka jars in {libs}: ./dev test fetches them")
    return found


def class_path(libs=LATEST):
    """An explicit, sorted class path: the class-data archive is only used for the same one."""
    return ":".join(jars(libs))


GROUP_COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


def tool(name, bootstrap, *arguments):
    """The command line of one of Kafka's own tools."""
    return [java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", LOGGING, "-cp", class_path(), name,
            "--bootstrap-server", bootstrap, *arguments]


def fingerprint(paths):
    """Name by content: sizes and names of `paths`, and the Java in use."""
    text = os.path.realpath(java())
    for path in paths:
        text += f"|{path}:{os.path.getsize(path)}:{os.path.getmtime(path)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextlib.contextmanager
def cache_lock():
    """Two test runs at once must not make the same part twice."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def client_classes():
    """The folder of the compiled test client; compiles it when its source or the jars changed."""
    sources = sorted(glob.glob(os.path.join(HERE, "java", "*.java")))
    folder = os.path.join(CACHE, "client-" + fingerprint(sources + jars()))
    with cache_lock():
        if not os.path.exists(folder):
            for old in glob.glob(os.path.join(CACHE, "client-*")):
                if is_unused(old):
                    shutil.rmtree(old)
            command = [java("javac"), "-cp", class_path(), "-Xlint:all", "-Xlint:-processing",
                       "-Xlint:-classfile", "-proc:none", "-d", folder + ".new"] + sources
            run_or_fail(command, "compiling the Kafka test client")
            os.rename(folder + ".new", folder)
        os.utime(folder)
    return folder


def is_unused(path):
    """Checkouts that share the cache must not take each other's parts away."""
    return time.time() - os.path.getmtime(path) > DAY_S


def archive(libs=LATEST):
    """Path of the broker's class-data archive; it may not exist yet (`broker.prepare` makes it)."""
    return os.path.join(CACHE, "broker-" + fingerprint(jars(libs)) + ".jsa")


def archives():
    """All archives, also those of other jars or another Java."""
    return glob.glob(os.path.join(CACHE, "broker-*.jsa*"))


def formatted_storage(properties, libs=LATEST):
    """The folder of a formatted storage; `properties` makes the text of a server.properties, given log.dirs.
    Copying it saves 0.6 s a broker. A release does not start on what a later one has formatted."""
    folder = os.path.join(CACHE, "formatted-" + os.path.basename(libs))
    with cache_lock():
        if not os.path.exists(os.path.join(folder, "meta.properties")):
            shutil.rmtree(folder, ignore_errors=True)
            path = os.path.join(CACHE, "format.properties")
            with open(path, "w") as file:
                file.write(properties(folder))
            run_or_fail([java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", LOGGING, "-cp",
                         class_path(libs), "kafka.tools.StorageTool", "format", "-t",
                         "c2x1aWNlLXRlc3Qta2l0MQ", "-c", path], "formatting the storage")
    return folder


def run_or_fail(command, what):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise KitError(f"{what}: exit {done.returncode}\n{done.stdout}")
