"""The broker goes away in mid-run, or the process is told to end: nothing that was read is lost, and
the log says it in one line. Each test has a broker of its own."""
import json
import signal
import time

import expect
import harness
import pipelines


class RunTest(harness.E2ETest):
    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker()
        return self.mine

    def setUp(self):
        super().setUp()
        self.topic_in, self.out = self.topic(partitions=2), self.topic(name="out")
        self.sent = 0

    def produce(self, count):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.topic_in, [{"value": json.dumps({"n": n}), "partition": n % 2}
                                            for n in range(first, self.sent)])

    def start_copy(self, *settings, **parts):
        self.file("p.lua", pipelines.copy(self.topic_in, self.out, **parts))
        run = self.start("run", "p.lua", *harness.sets("trigger=continuous", *settings))
        self.wait_for("the start", lambda: "message=running" in run.err or not run.running)
        self.assertTrue(run.running, run.err)
        return run

    def delivered(self):
        return sum(self.client.end_offsets(self.out).values())

    def check_all(self):
        """Everything came out, in order within each partition, nothing twice."""
        numbers = [record.json()["n"] for record in self.client.consume(self.out)]
        self.assertEqual(sorted(numbers), list(range(self.sent)))
        for partition in range(2):
            mine = [n for n in numbers if n % 2 == partition]
            self.assertEqual(mine, sorted(mine))


class BrokerAwayTest(RunTest):
    def go_on(self, run):
        self.produce(500)
        self.wait_for("all records", lambda: self.delivered() >= self.sent, timeout_s=30)
        self.wait_for("the line", lambda: expect.messages(run.err, "broker back"), timeout_s=10)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(expect.Summary(run.err).source["read"], self.sent)
        self.check_all()
        expect.check_outages(self, run.err)

    def test_a_broker_that_is_killed_and_comes_back(self):
        run = self.start_copy()
        self.produce(500)
        self.wait_for("records", lambda: self.delivered() >= self.sent)
        before = run.rss_mb()
        self.broker.kill()
        self.wait_for("the line", lambda: expect.messages(run.err, "broker lost"), timeout_s=15)
        time.sleep(5)
        self.assertTrue(run.running, run.err)
        self.assertLess(run.rss_mb(), before + 20)
        self.broker.start()
        self.go_on(run)

    def test_a_broker_that_falls_silent_and_wakes(self):
        run = self.start_copy()
        self.produce(500)
        self.wait_for("records", lambda: self.delivered() >= self.sent)
        self.broker.pause()
        self.wait_for("the line", lambda: expect.messages(run.err, "broker lost"), timeout_s=20)
        self.broker.resume()
        self.go_on(run)

    def test_a_broker_that_dies_while_much_is_on_its_way(self):
        self.client.generate_rides(self.topic_in, 400_000, partitions=2)
        rides = self.client.oracle(self.topic_in)
        script = harness.read(expect.RIDE_COUNTS)
        self.file("rides.lua", script)
        run = self.start("run", "rides.lua", *harness.sets(
            "trigger=continuous", "source.start=earliest", "source.topics=" + self.topic_in,
            "sink.topic=" + self.out, "source.max_records=5000"))
        self.wait_for("some output", lambda: self.delivered() > 200)
        self.broker.kill()
        time.sleep(2)
        self.assertTrue(run.running, run.err)
        self.broker.start()
        wanted = expect.ride_rows(rides)

        def is_done():
            last = {r.key: r for r in self.client.consume(self.out)}
            return len(last) == len(wanted) and sum(
                r.json()["event_count"] for r in last.values()) == sum(
                w["count"] for w in wanted.values())
        self.wait_for("all counts", is_done, timeout_s=60)
        expect.check_outages(self, run.err)  # source and sink both noticed
        self.assertEqual(run.stop(), 0)
        for key, record in {r.key: r for r in self.client.consume(self.out)}.items():
            expect.check_ride(self, record, wanted[key])
        self.assertLess(run.peak_mb, 150)

    def test_a_stop_while_the_broker_is_away(self):
        run = self.start_copy("shutdown_timeout=3 seconds")
        self.produce(100)
        self.wait_for("records", lambda: self.delivered() >= self.sent)
        self.broker.kill()
        self.wait_for("the line", lambda: expect.messages(run.err, "broker lost"), timeout_s=15)
        began = time.monotonic()
        self.assertEqual(run.stop(timeout_s=10), 0, run.err)
        self.assertLess(time.monotonic() - began, harness.within(5))
        self.broker.start()
        self.check_all()

    def test_a_stop_with_rows_that_cannot_be_delivered(self):
        """The batch is given up after shutdown_timeout; a restart would read it again."""
        pace_s = harness.pace_s()
        run = self.start_copy(f"trigger={pace_s} seconds", "shutdown_timeout=2 seconds")
        self.produce(100)
        self.wait_for("records", lambda: self.delivered() >= self.sent)
        time.sleep(pace_s - time.time() % pace_s)  # a batch begins
        self.produce(100)
        self.wait_for("them to be fetched", lambda: self.known_end(run) == self.sent)
        self.broker.pause()
        time.sleep(pace_s)  # one more begins
        began = time.monotonic()
        run.send(signal.SIGTERM)
        code = run.wait(10)
        self.assertLess(time.monotonic() - began, harness.within(6))
        self.broker.resume()
        read = expect.Summary(run.err).source["read"]
        self.assertEqual((code, read), (0, self.sent) if read == self.sent else (1, 100), run.err)
        if code:
            self.assertRegex(run.err, "shutdown_timeout.*not delivered|not be delivered.*shutdown_timeout")


    def known_end(self, run):
        """Where the topic ends, as far as answers to the process have told."""
        said = json.loads(self.run_sluice("status", "copy", "--json").out)
        return sum(partition["end"] or 0 for partition in said["sources"][0]["partitions"])


class StopTest(RunTest):
    @property
    def broker(self):
        return harness.shared_broker()

    def test_what_was_read_is_delivered(self):
        """Ended in mid-batch: each number that was counted as read is there, and no other."""
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(signal=number):
                self.topic_in, self.out = self.topic(partitions=2), self.topic(name="out")
                path = self.file("lines", "".join(f'{{"n":{n}}}\n' for n in range(300_000)))
                self.client.produce_lines(self.topic_in, path, 0)
                run = self.start_copy("source.max_records=20000")
                self.wait_for("output", lambda: self.delivered() > 0)
                run.send(number)
                self.assertEqual(run.wait(15), 0, run.err)
                read = expect.Summary(run.err).source["read"]
                self.assertLess(read, 300_000)
                numbers = [r.json()["n"] for r in self.client.consume(self.out)]
                self.assertEqual(numbers, list(range(read)))

    def test_an_idle_process_ends_at_once(self):
        for number in signal.SIGTERM, signal.SIGINT:
            run = self.start_copy("trigger=1 hour")
            began = time.monotonic()
            run.send(number)
            self.assertEqual(run.wait(5), 0, run.err)
            self.assertLess(time.monotonic() - began, harness.within(1))

    def test_a_second_signal_stops_at_once(self):
        for number, code in (signal.SIGTERM, 143), (signal.SIGINT, 130):
            with self.subTest(signal=number):
                self.topic_in, self.sent = self.topic(partitions=2), 0
                run = self.start_copy(stages=""":filter(function(r)
                    if r.n == 77 then print "it loops" while true do end end
                    return true
                end)""")
                self.produce(100)
                self.wait_for("the loop", lambda: "it loops" in run.err)
                run.send(number)
                self.wait_for("the first to be taken", lambda: not run.has_pending)
                time.sleep(0.3)
                self.assertTrue(run.running, run.err)
                began = time.monotonic()
                run.send(number)
                self.assertEqual(run.wait(5), code, run.err)
                self.assertLess(time.monotonic() - began, harness.within(1))

    def test_a_signal_during_the_start(self):
        for delay in (0, 0.01, 0.03, 0.1, 0.3):
            self.file("p.lua", pipelines.copy(self.topic_in, self.out))
            run = self.start("run", "p.lua", "--set", "trigger=continuous")
            time.sleep(delay)
            run.send(signal.SIGTERM)
            self.assertIn(run.wait(10), (0, -signal.SIGTERM), run.err)  # before main: the default
            self.assertNotIn("error", run.err)
