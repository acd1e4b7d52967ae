"""Three brokers that are one cluster, everything on all three, two of which must have a write:

    with Quorum() as quorum:
        quorum.client.create_topic("in", partitions=3)
        quorum.kill(1); quorum.start_again(1)          # by place, from 0
        quorum.move_leaders()                          # every partition gets another leader
"""
import broker
import kit
from broker import Broker

NODES = 3
SETTINGS = {
    "offsets.topic.replication.factor": 3, "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2, "share.coordinator.state.topic.replication.factor": 3,
    "share.coordinator.state.topic.min.isr": 2, "default.replication.factor": 3, "min.insync.replicas": 2,
    "replica.lag.time.max.ms": 3000, "auto.leader.rebalance.enable": "true",
    "leader.imbalance.check.interval.seconds": 2, "leader.imbalance.per.broker.percentage": 0,
}


def elections():
    """A leader that is gone is noticed in a second or two, as a broker's session is."""
    return {"controller.quorum.election.timeout.ms": kit.session_ms(400),
            "controller.quorum.fetch.timeout.ms": kit.session_ms(800)}


class Quorum:
    def __init__(self, settings=None, heap_mb=384, proxies=(None,) * NODES):
        """`proxies`: a port for each node, as of Broker."""
        self.nodes = [Broker(settings={**SETTINGS, **elections(), **(settings or {})}, heap_mb=heap_mb, node=i + 1,
                             proxy=proxies[i]) for i in range(NODES)]
        self._client = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def start(self, timeout_s=180):
        """A node alone does not serve: all are started before the first is waited for."""
        for node in self.nodes:
            node.pick_ports()
        voters = ",".join(f"{node.node}@127.0.0.1:{node.ports['controller']}" for node in self.nodes)
        for node in self.nodes:
            node.voters, node.cluster_id = voters, self.nodes[0].cluster_id
            node.format()
            node.spawn([])
        for node in self.nodes:
            if not node.wait_until_started(timeout_s):
                tail = node.log_tail()
                self.close()
                raise broker.kit.KitError(f"node {node.node} did not start:\n{tail}")
        return self

    def close(self):
        if self._client:
            self._client.close()
            self._client = None
        for node in self.nodes:
            node.close()

    @property
    def bootstrap(self):
        return self.address("plaintext")

    def address(self, listener):
        return ",".join(node.address(listener) for node in self.nodes)

    @property
    def client(self):
        if not self._client:
            self._client = broker.Client(self.bootstrap, replication=NODES)
        return self._client

    def kill(self, place):
        self.nodes[place].kill()

    def start_again(self, place):
        self.nodes[place].start()

    def move_leaders(self):
        self.client.move_leaders()
