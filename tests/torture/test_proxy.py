"""The proxy does what it says, between a client and a broker that are a few lines each."""
import asyncio
import struct
import unittest

from proxy import APIS, Proxy, read_frame


def request(api, correlation):
    body = struct.pack(">hhi", APIS[api], 1, correlation) + b"rest"
    return struct.pack(">i", len(body)) + body


class Served:
    """A broker that answers every request with its correlation id."""

    async def __aenter__(self):
        self.requests = []
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.proxy = await Proxy().start()
        self.proxy.target = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        await self.proxy.close()
        self.server.close()

    async def serve(self, reader, writer):
        try:
            while True:
                frame = await read_frame(reader)
                api, _, correlation = struct.unpack_from(">hhi", frame, 4)
                self.requests.append((api, correlation))
                writer.write(struct.pack(">ii", 4, correlation))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.proxy.port)

    async def ask(self, link, api, correlation, timeout_s=60):
        """The answer's correlation id; "cut"; or None when there is no answer in time."""
        link[1].write(request(api, correlation))
        try:
            return struct.unpack_from(">i", await asyncio.wait_for(read_frame(link[0]), timeout_s), 4)[0]
        except asyncio.TimeoutError:
            return None
        except (asyncio.IncompleteReadError, ConnectionError):
            return "cut"


class ProxyTest(unittest.IsolatedAsyncioTestCase):
    async def test_passes_on(self):
        async with Served() as served:
            link = await served.connect()
            self.assertEqual([await served.ask(link, "Produce", i) for i in range(50)], list(range(50)))
            self.assertEqual(served.proxy.seen["Produce"], 50)

    async def test_cuts_before_and_behind_the_broker(self):
        for action, reaches in ("cut_request", False), ("cut_answer", True):
            async with Served() as served:
                link = await served.connect()
                served.proxy.arm("EndTxn", action)
                self.assertEqual(await served.ask(link, "Produce", 1), 1)
                self.assertFalse(served.proxy.fired.is_set())
                self.assertEqual(await served.ask(link, "EndTxn", 2), "cut")
                self.assertTrue(served.proxy.fired.is_set())
                self.assertEqual((APIS["EndTxn"], 2) in served.requests, reaches)
                self.assertEqual(await served.ask(await served.connect(), "EndTxn", 3), 3)

    async def test_mutes_one_direction(self):
        for action, reaches in ("mute_request", False), ("mute_answer", True):
            async with Served() as served:
                link = await served.connect()
                served.proxy.arm("EndTxn", action, 0.4)
                self.assertIsNone(await served.ask(link, "EndTxn", 1, 0.2))
                while reaches and not served.requests:
                    await asyncio.sleep(0.01)
                self.assertEqual(served.requests, [(APIS["EndTxn"], 1)] * reaches)
                self.assertEqual(await served.ask(link, "EndTxn", 2), "cut")

    async def test_is_slow(self):
        async with Served() as served:
            link = await served.connect()
            served.proxy.arm("EndTxn", "slow", 0.2)
            self.assertIsNone(await served.ask(link, "EndTxn", 1, 0.1))
            self.assertEqual(await served.ask(link, "EndTxn", 2), 1)

    async def test_a_request_arrives_late(self):
        async with Served() as served:
            served.proxy.arm("EndTxn", "late")
            self.assertEqual(await served.ask(await served.connect(), "EndTxn", 1), "cut")
            link = await served.connect()
            for api, number in ("AddOffsetsToTxn", 2), ("EndTxn", 3), ("Produce", 4):
                self.assertEqual(await served.ask(link, api, number), number)
            self.assertNotIn((APIS["EndTxn"], 1), served.requests)
            self.assertIsNone(await served.ask(link, "AddOffsetsToTxn", 5, 0.2))
            await asyncio.wait_for(served.proxy.replayed.wait(), 60)
            self.assertEqual(served.requests[-1], (APIS["EndTxn"], 1))


if __name__ == "__main__":
    unittest.main()
