"""What cannot work is said within 10 s, with what to do about it; what should work behind TLS and a
login does. Checks, too, that no secret is ever printed."""
import json
import socket
import re
import time

import expect
import harness
import pipelines
from broker import PASSWORD, USER

OWN = "own-secret-4711"


# A wrong script or command line is told as such, what came of a run in a log line.
ERROR = r"(?m)^(?:sluice: |time=\S+ level=error message=)[^\n]*"


class RefusedTest(harness.E2ETest):
    def check(self, script, message, code=1, env=None):
        """One line of error that matches, in time, and exit `code`."""
        self.file("p.lua", script)
        began = time.monotonic()
        run = self.run_sluice("run", "p.lua", timeout_s=30, env=env)
        took = time.monotonic() - began
        self.assertEqual(run.code, code, run.err)
        self.assertRegex(run.err, ERROR + message)
        errors = re.findall(ERROR, run.err)
        self.assertEqual(len(errors), 1, run.err)
        self.assertLess(took, harness.within(11), run.err)
        self.assertNotIn(OWN, run.err + run.out)
        return run


    def check_at_once(self, cases):
        """The same for several (script, message, env), which take their 10 s side by side."""
        runs = []
        for number, (script, message, env) in enumerate(cases):
            self.file(f"p{number}.lua", script)
            runs.append((self.start("run", f"p{number}.lua", env=env), message))
        began = time.monotonic()
        for run, message in runs:
            with self.subTest(message=message):
                self.assertEqual(run.wait(12), 1, run.err)
                self.assertLess(time.monotonic() - began, harness.within(11))
                self.assertRegex(run.err, ERROR + message + r"[^\n]*\n\Z")


class WrongPlaceTest(RefusedTest):
    def test_places_without_a_kafka(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            silent = "127.0.0.1:%d" % server.getsockname()[1]
            self.check_at_once([(pipelines.copy("in", "out"), address, {"KAFKA_BROKERS": address})
                                for address in ("127.0.0.1:1", silent, "nowhere.invalid:9092")])

    def test_an_unknown_source_topic(self):
        out = self.topic()
        run = self.check(pipelines.copy("ride_evnts", out), "topic ride_evnts does not exist")
        self.assertIn(f"kafka-topics.sh --bootstrap-server {self.broker.bootstrap} --create --topic "
                      "ride_evnts", run.err)

    def test_an_unknown_sink_topic(self):
        source = self.topic()
        run = self.check(pipelines.copy(source, "counts-nowhere"), "topic counts-nowhere does not exist")
        self.assertIn("--create --topic counts-nowhere", run.err)

    def test_misspelt_topics_are_told_with_what_is_near_and_nothing_is_made(self):
        source, out, name = self.topic(name="boarded-rides"), self.topic(name="boarded-counts"), harness.fresh("made")
        for topics, to, wanted in (("borded" + source[7:], out, source), (source, "boardd" + out[7:], out)):
            run = self.check(pipelines.copy(topics, to, name=name), "topic [^ ]* does not exist on")
            self.assertIn(f": did you mean `{wanted}`? (check the name, or make it: ", run.err)
            self.assertNotIn(f"{name}-quarantine", self.client.topics())
        self.file("p.lua", pipelines.copy(source, out, name=name))
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        self.assertIn(f"{name}-quarantine", self.client.topics())

    def test_a_name_that_is_no_topic(self):
        self.check(pipelines.copy("rides/today", self.topic()), "rides/today", code=2)

    def test_a_raw_option_that_librdkafka_does_not_know(self):
        topic = self.topic()
        self.check(pipelines.copy(topic, topic + "x", source='config = { ["fetch.mim.bytes"] = 1 }'
                                  ).replace(topic + "x", self.topic()), "fetch.mim.bytes", code=2)

    def test_a_raw_option_with_a_wrong_value(self):
        self.check(pipelines.copy(self.topic(), self.topic(),
                                  source='config = { ["fetch.min.bytes"] = "many" }'),
                   "fetch.min.bytes", code=2)

    def test_a_raw_option_is_used(self):
        topic, out = self.topic(), self.topic()
        self.client.produce(topic, [{"value": '{"n":1}'}])
        self.file("p.lua", pipelines.copy(topic, out, source='config = { ["fetch.min.bytes"] = 1 }'))
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        self.assertEqual(len(self.client.consume(out)), 1)


class SecuredTest(RefusedTest):
    """The plain listener of the same broker is the test's own way in."""

    @property
    def broker(self):
        return harness.shared_broker(secure=True)

    def script(self, listener, more, **parts):
        """A copy through a secured listener at both ends."""
        self.out = self.topic(name="out")
        topic = self.topic(name="in")
        self.client.produce(topic, [{"value": json.dumps({"n": n})} for n in range(3)])
        options = f'cluster = sluice.cluster {{ brokers = "{self.broker.address(listener)}", {more} }}'
        return pipelines.copy(topic, self.out, source=options, sink=options, **parts)

    def check_works(self, listener, more, env=None):
        self.file("p.lua", self.script(listener, more))
        run = self.run_sluice("run", "p.lua", env=env)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(expect.Summary(run.err).source["read"], 3)
        for line in "reading by librdkafka", "writing by librdkafka":
            self.assertEqual(bool(expect.messages(run.err, line)), "sasl" in more)
        self.assertEqual(len(self.client.consume(self.out)), 3)

    def tls(self, ca=None, cert=None, key=None):
        parts = [f'ca = "{ca or self.broker.certs.ca}"']
        if cert:
            parts += [f'cert = "{cert}"', f'key = "{key}"']
        return "tls = { " + ", ".join(parts) + " }"

    def sasl(self, mechanism="PLAIN"):
        return (f'sasl = {{ mechanism = "{mechanism}", username = "{USER}", '
                'password = sluice.env "RIDES_PASSWORD" }')

    def test_tls(self):
        self.check_works("tls", self.tls())

    def test_mtls(self):
        certs = self.broker.certs
        self.check_works("mtls", self.tls(cert=certs.client_cert, key=certs.client_key))

    def test_login_without_tls(self):
        self.check_works("sasl", self.sasl(), env={"RIDES_PASSWORD": PASSWORD})

    def test_login_over_tls(self):
        self.check_works("sasl_tls", self.tls() + ", " + self.sasl(), env={"RIDES_PASSWORD": PASSWORD})

    def test_login_with_a_password_from_a_file(self):
        path = self.file("password", PASSWORD + "\n")
        sasl = f'sasl = {{ username = "{USER}", password = sluice.secret_file "{path}" }}'
        self.check_works("sasl_tls", self.tls() + ", " + sasl)

    def test_a_wrong_password(self):
        for listener, tls in ("sasl", ""), ("sasl_tls", self.tls() + ", "):
            with self.subTest(listener=listener):
                self.check(self.script(listener, tls + self.sasl()), "refused the login.*password",
                           env={"RIDES_PASSWORD": OWN})

    def test_a_password_that_is_nowhere(self):
        run = self.check(self.script("sasl", self.sasl()), "RIDES_PASSWORD", code=2)
        self.assertIn("p.lua:", run.err)

    def test_a_wrong_authority(self):
        self.check(self.script("tls", self.tls(ca=self.broker.certs.other_ca)), "TLS.*ca\\b")

    def test_an_authority_that_is_nowhere(self):
        self.check(self.script("tls", self.tls(ca="/nowhere/ca.pem")), "/nowhere/ca.pem", code=2)

    def test_no_certificate_where_one_is_wanted(self):
        self.check(self.script("mtls", self.tls()), "TLS.*cert")

    def test_a_foreign_certificate(self):
        certs = self.broker.certs
        self.check(self.script("mtls", self.tls(cert=certs.other_cert, key=certs.other_key)), "TLS.*cert")

    def test_neither_tls_nor_login_where_they_are_wanted(self):
        self.check_at_once([(self.script("tls", ""), "tls", {}), (self.script("sasl", ""), "sasl", {})])

    def test_tls_where_there_is_none(self):
        self.check(self.script("plaintext", self.tls()), "TLS|tls")

    def test_scram_with_this_librdkafka(self):
        """Only a newer one can do it with Kafka 4: said at once, not as a wrong password."""
        run = self.start("version")
        run.wait()
        if "librdkafka 2.0" not in run.out:
            return
        self.check(self.script("sasl", self.sasl("SCRAM-SHA-256")),
                   "SCRAM-SHA-256 does not work with librdkafka 2.0.*2.6.1", code=2,
                   env={"RIDES_PASSWORD": PASSWORD})

    def test_a_debug_log_shows_no_secret(self):
        self.file("p.lua", self.script("sasl_tls", self.tls() + ", " + self.sasl()))
        run = self.run_sluice("run", "--log-level", "debug", "p.lua", env={"RIDES_PASSWORD": PASSWORD})
        self.assertEqual(run.code, 0, run.err)
        run_check = self.run_sluice("check", "p.lua", env={"RIDES_PASSWORD": PASSWORD})
        for text in run.err, run.out, run_check.err, run_check.out:
            self.assertNotIn(PASSWORD, text)


class AuthorizedTest(harness.WithRights, RefusedTest):
    def test_an_account_without_rights(self):
        topic, out = self.topic(), self.topic()
        options = (f'cluster = sluice.cluster {{ brokers = "{self.broker.address("sasl")}", sasl = {{ '
                   f'username = "{USER}", password = sluice.env "RIDES_PASSWORD" }} }}')
        env = {"RIDES_PASSWORD": PASSWORD}
        with self.subTest("neither"):
            self.check(pipelines.copy(topic, out, source=options, sink=options),
                       f"(?:{topic}|{out}).*rights", env=env)
        with self.subTest("the source, whose quarantine lies on its cluster"):  # topics are made last
            self.check(pipelines.copy(topic, out, source=options), f"(?:{topic}|copy-quarantine).*rights", env=env)
        with self.subTest("source"):
            source = options + ', bad_records = "fail"'
            self.check(pipelines.copy(topic, out, source=source, pipeline='on_error = "fail",'),
                       f"{topic}.*rights", env=env)
        with self.subTest("sink"):
            self.check(pipelines.copy(topic, out, sink=options), f"{out}.*rights", env=env)
