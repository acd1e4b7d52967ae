"""A TCP proxy before a broker that reads the headers of Kafka's requests, to break connections at a call
of one's choice, in a direction of one's choice:

    proxy.arm("EndTxn", "cut_answer")      # once, at the next one; proxy.fired tells that it happened

    cut_request    the connection is cut before the broker sees the request
    cut_answer     it is cut when the broker has answered: done, but nobody was told
    mute_request   what the client sends goes nowhere from here on; cut after `seconds`
    mute_answer    what the broker answers goes nowhere from here on; cut after `seconds`
    slow           the request is passed on `seconds` later
    late           of EndTxn: cut before the broker sees it; the client asks again and goes on. In the middle
                   of its next transaction, outputs written, offsets not, the old request arrives after
                   all, as from a network that kept it; then nothing more passes (KAFKA-17754)

Loopback only. One connection to the broker for each of a client's."""
import asyncio
import contextlib
import struct
from collections import Counter

APIS = {"Produce": 0, "OffsetCommit": 8, "OffsetFetch": 9, "FindCoordinator": 10, "InitProducerId": 22,
        "AddPartitionsToTxn": 24, "AddOffsetsToTxn": 25, "EndTxn": 26, "TxnOffsetCommit": 28}
NAMES = {number: name for name, number in APIS.items()}
ACTIONS = ("cut_request", "cut_answer", "mute_request", "mute_answer", "slow")


class Cut(Exception):
    """This connection ends here."""


class Proxy:
    def __init__(self):
        self.port = self.target = None
        self.seen = Counter()
        self.order = None            # (api, action, seconds) that waits for its request
        self.fired = asyncio.Event()
        self.held = None             # a request kept for later, and whether it was asked again meanwhile
        self.was_repeated = False
        self.replayed = asyncio.Event()
        self.server, self.tasks = None, set()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def close(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def arm(self, api, action, seconds=1.0):
        assert api in APIS and action in ACTIONS + ("late",)
        self.fired.clear()
        self.order = (api, action, seconds)

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await Link(self, reader, writer).run()
        self.tasks.discard(task)

    def take_order(self, api):
        """The action for this request: (action, seconds), or nothing."""
        if not self.order or self.order[0] != api:
            return None, 0
        (_, action, seconds), self.order = self.order, None
        self.fired.set()
        return action, seconds

    async def replay(self):
        """The request that was held arrives now, on a connection of its own."""
        held, self.held = self.held, None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(held)
        await asyncio.wait_for(read_frame(reader), 60)
        writer.close()
        self.replayed.set()


class Link:
    """A client's connection."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.client = proxy, (reader, writer)
        self.broker = None
        self.cut_at = None           # correlation id whose answer is not passed on
        self.is_deaf = self.is_mute = False   # towards the broker; towards the client

    async def run(self):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.broker = await asyncio.open_connection("127.0.0.1", self.proxy.target)
            ways = [asyncio.create_task(self.requests()), asyncio.create_task(self.answers())]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        for _, writer in filter(None, (self.client, self.broker)):
            writer.transport.abort()

    async def requests(self):
        while True:
            frame = await read_frame(self.client[0])
            number, _, correlation = struct.unpack_from(">hhi", frame, 4)
            api = NAMES.get(number, str(number))
            self.proxy.seen[api] += 1
            await self.act(api, correlation, frame)
            if not self.is_deaf:
                self.broker[1].write(frame)
                await self.broker[1].drain()

    async def act(self, api, correlation, frame):
        await self.act_on_held(api)
        action, seconds = self.proxy.take_order(api)
        if action == "late":
            self.proxy.held, self.proxy.was_repeated = frame, False
            self.proxy.replayed.clear()
        if action in ("cut_request", "late"):
            raise Cut
        if action == "cut_answer":
            self.cut_at = correlation
        if action == "slow":
            await asyncio.sleep(seconds)
        if action == "mute_request":
            self.is_deaf = True
        if action == "mute_answer":
            self.is_mute = True
        if self.is_deaf or self.is_mute:
            asyncio.get_running_loop().call_later(seconds, self.client[1].transport.abort)

    async def act_on_held(self, api):
        if not self.proxy.held:
            return
        if api == "EndTxn":
            self.proxy.was_repeated = True
        if api == "AddOffsetsToTxn" and self.proxy.was_repeated:
            await self.proxy.replay()
            await asyncio.sleep(3600)

    async def answers(self):
        while True:
            frame = await read_frame(self.broker[0])
            if struct.unpack_from(">i", frame, 4)[0] == self.cut_at:
                raise Cut
            if not self.is_mute:
                self.client[1].write(frame)
                await self.client[1].drain()


async def read_frame(reader):
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack(">i", head)[0])
