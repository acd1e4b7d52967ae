"""Wrong scripts: one clear message with the script's line, exit 2, before anything is read. Needs no
broker: the one named is not there."""
import re
import time

import harness

GOOD = """
local sluice = require "sluice"
local rides = sluice.kafka { topics = "rides" }
   :json { sluice.string "id", sluice.int64 "ts" :required(), sluice.double "amount" }
   :event_time("ts", { unit = "ms", delay = "1 minute" })
local counts = rides
   :group_by "id"
   :window(sluice.tumbling { size = "1 minute" })
   :aggregate { total = sluice.sum "amount" }
   :to(sluice.kafka { topic = "counts", mode = "update" })
return sluice.pipeline { name = "p", checkpoint = "none", counts }
"""


class ScriptsTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def check(self, text, line, message, within_s=5, command="run", settings=()):
        """`message`: a pattern that stderr's one line has behind `FILE:LINE: `."""
        self.file("p.lua", text)
        began = time.monotonic()
        run = self.run_sluice(command, "p.lua", *harness.sets(*settings), timeout_s=30)
        self.assertLess(time.monotonic() - began, harness.within(within_s))
        self.assertEqual(run.code, 2, run.err)
        place = "p.lua:" if line is None else f"p.lua:{line}: "
        self.assertRegex(run.err, r"\Asluice: " + place + r"[^\n]*" + message)
        self.assertEqual(run.err.count("\n"), 1, run.err)
        self.assertNotIn("sluice/", run.err)  # the library's own files are nobody's business
        self.assertEqual(run.out, "")

    def change(self, old, new, line, message, **more):
        self.assertIn(old, GOOD)
        self.check(GOOD.replace(old, new), line, message, **more)

    def test_the_good_one_is_good(self):
        self.file("p.lua", GOOD)
        run = self.run_sluice("check", "p.lua")
        self.assertEqual((run.code, run.err), (0, ""))
        self.assertIn("counts", run.out)

    def test_check_says_the_same_as_run(self):
        self.change("delay", "delai", 5, "`delai`.*`delay`", command="check")

    def test_no_file(self):
        run = self.run_sluice("run", "nowhere.lua")
        self.assertEqual(run.code, 2)
        self.assertRegex(run.err, r"\Asluice: .*nowhere.lua: No such file[^\n]*\n\Z")

    def test_empty_script(self):
        self.check("", None, "returns nothing, wanted `return sluice.pipeline")

    def test_syntax_error(self):
        self.change(':group_by "id"', ":group_by(", 8, "unexpected symbol|'\\)' expected")

    def test_unfinished_string(self):
        self.change('"id", sluice.int64', '"id, sluice.int64', 4, "")

    def test_binary_rubbish(self):
        self.check("\x7fELF\x02\x01", 1, "")

    def test_runtime_error_at_load(self):
        self.change("local counts", "local x = nil + 1\nlocal counts", 6, "arithmetic on a nil")

    def test_error_with_a_table_at_load(self):
        self.change("local counts", "error { code = 1 }\nlocal counts", 6, "")

    def test_endless_loops_at_load(self):
        loops = ["while true do end", "while true do pcall(function() while true do end end) end"]
        slow = r'(time=\S+ level=error message="loop\d.lua: loading the script has not [^\n]*\n)?' # beside much else
        runs = []
        for number, loop in enumerate(loops):
            name = f"loop{number}.lua"
            self.file(name, GOOD.replace("local counts", loop + "\nlocal counts"))
            runs.append((name, self.start("run", name)))
        for name, run in runs:
            self.assertEqual(run.wait(12), 2, run.err)
            self.assertRegex(run.err, rf"\A{slow}sluice: {name}:6: .*endless loop[^\n]*\n\Z")

    def test_huge_string_at_load(self):
        self.change("local counts", 'local s = ("x"):rep(1e9)\nlocal counts', 6, "256 MiB")

    def test_huge_table_at_load(self):
        self.change("local counts", "local t = {} for i = 1, 1e9 do t[i] = { ('x'):rep(1e4) .. i } end\nlocal counts",
                    6, "256 MiB")

    def test_endless_recursion_at_load(self):
        self.change("local counts", "local function f() return 1 + f() end f()\nlocal counts", None,
                    "stack overflow")

    def test_no_sink(self):
        self.change('   :to(sluice.kafka { topic = "counts", mode = "update" })\n', "", None, ":to")

    def test_no_branch(self):
        self.change('checkpoint = "none", counts', 'checkpoint = "none"', 11, "branch")

    def test_window_without_event_time(self):
        self.change('   :event_time("ts", { unit = "ms", delay = "1 minute" })\n', "\n", None,
                    "event_time")

    def test_append_without_watermark(self):
        self.change(', delay = "1 minute" })', "})", None, "delay")

    def test_no_mode_behind_an_aggregation(self):
        self.change(', mode = "update"', "", 10, "mode")

    def test_misspelt_source_option(self):
        self.change('topics = "rides"', 'topicss = "rides"', 3, "`topicss`.*`topics`")

    def test_misspelt_sink_option(self):
        self.change("mode =", "mod =", 10, "`mod`.*`mode`")

    def test_misspelt_value(self):
        self.change('mode = "update"', 'mode = "updates"', 10, "update")

    def test_misspelt_duration(self):
        self.change('size = "1 minute"', 'size = "1 minite"', 8, "1 minite")

    def test_misspelt_method(self):
        self.change(":group_by", ":groupby", 7, "`?groupby`?.*group_by")

    def test_misspelt_function_of_the_library(self):
        self.change("sluice.tumbling", "sluice.tumblin", 8, "tumblin.*tumbling")

    def test_misspelt_field_of_an_aggregate(self):
        self.change('sluice.sum "amount"', 'sluice.sum "amout"', 9, "`amout`.*`amount`")

    def test_misspelt_group_field(self):
        self.change('group_by "id"', 'group_by "idd"', 7, "`idd`.*`id`")

    def test_misspelt_field_in_a_function(self):
        self.change(':group_by "id"', ":filter(function(r) return r.amont == 1 end)", 7,
                    "`amont`.*`amount`")

    def test_misspelt_global_in_a_function(self):
        self.change(':group_by "id"', ":filter(function(r) return tonumbr(r.id) == 1 end)", 7,
                    "`tonumbr`.*`tonumber`")

    def test_function_that_keeps_state(self):
        self.change("   :group_by", "   :filter(function(r) SEEN = r.id return true end)\n   :group_by",
                    7, "SEEN")

    def test_function_that_assigns_an_upvalue(self):
        self.check(GOOD.replace("local counts", "local seen = 0\nlocal counts").replace(
            "   :group_by", "   :filter(function(r) seen = seen + 1 return true end)\n   :group_by"),
            8, "`?seen")

    def test_function_that_keeps_state_in_a_table(self):
        self.check(GOOD.replace("local counts", "local seen = {}\nlocal counts").replace(
            "   :group_by", "   :filter(function(r) seen[r.id] = true return true end)\n   :group_by"),
            8, "`seen` is changed.*aggregate")

    def test_misspelt_member_of_a_library(self):
        for call, message in [("math.flor(1)", "`math.flor`.*`math.floor`"), ("r.id:foo()", "`foo`"),
                              ("math.randomseed(3)", "math.randomseed is not available")]:
            with self.subTest(call=call):
                self.change(':group_by "id"', f":filter(function(r) return {call} == 1 end)", 7,
                            message)

    def test_forgotten_return(self):
        self.change(':group_by "id"', ":filter(function(r) local x = r.id == 'a' end)", 7,
                    "gives nothing: forgotten `return`")

    def test_stream_that_is_never_used(self):
        self.change("return sluice.pipeline", 'rides:to(sluice.kafka { topic = "copy" })\nreturn '
                    "sluice.pipeline", 11, "never used.*sluice.pipeline")

    def test_operator_of_another_language(self):
        self.change(':group_by "id"', ":filter(function(r) return r.id != 'a' end)", 7, "in Lua: `~=`")

    def test_warnings_have_a_line_each(self):
        doubtful = "sluice.bool(function(r) return r.id:match('^id(%d)$') + 1 > 0 end)"
        self.file("p.lua", GOOD.replace(':group_by "id"', ":derive { a = " + doubtful + ", b = " + doubtful
                                        + ' }:group_by "id"').replace(
            'sluice.kafka { topics = "rides" }', 'sluice.file { path = "none.jsonl" }').replace(
            "sluice.kafka", "sluice.file").replace('topic = "counts"', 'path = "-"'))
        lines = [r"warning: p.lua:7: derive `%s`: [^\n]*\(on a made-up row, at check\) \[W21 function-throws\]"
                 % name for name in "ab"]
        run = self.run_sluice("check", "p.lua")
        self.assertEqual(run.code, 0)
        self.assertRegex(run.err, r"\A" + r"\n".join(lines) + r"\n\Z")
        run = self.run_sluice("check", "--strict", "p.lua")
        self.assertEqual(run.code, 2)
        self.assertRegex(run.err, r"\A" + r"\n".join(lines) + r"\nsluice: p.lua: there are warnings")
        run = self.run_sluice("run", "p.lua")
        for line in lines:
            self.assertEqual(len(re.findall(line.replace("warning: ", ""), run.err)), 1, run.err)

    def test_function_that_a_null_breaks(self):
        self.change("   :group_by", "   :filter(function(r) return r.amount > 1 end)\n   :group_by", 7,
                    "amount")

    def test_files_are_not_to_be_had(self):
        self.change("local counts", 'local f = io.open("x")\nlocal counts', 6, "io is not available")

    def test_checkpoint_is_a_store_that_there_is(self):
        self.change('checkpoint = "none"', 'checkpoint = "gs://bucket/x"', 11, "later release")
        self.change('checkpoint = "none"', 'checkpoint = "./state"', 11, 'wanted "file:./state"')

    def test_exactly_once_that_cannot_be(self):
        self.change('checkpoint = "none"', 'checkpoint = "file:./state", delivery = "exactly-once", '
                    'sluice.file { path = "x" }:json { sluice.int64 "n" }:to(sluice.file { path = "-" })',
                    11, "exactly-once: sink -: what is written to stdout")

    def test_checkpoint_must_be_said(self):
        self.change('checkpoint = "none", ', "", 11, "checkpoint")

    def test_secret_in_the_open(self):
        self.change('topics = "rides"', 'topics = "rides", sasl = { username = "me", password = '
                    '"h7Zk-hush" }', 3, "sluice.env")
        self.assertNotIn("h7Zk", "".join(harness.read(p.err_path) for p in self.processes))

    def test_raw_option_that_sluice_needs(self):
        self.change('topics = "rides"', 'topics = "rides", config = { ["enable.auto.commit"] = true }',
                    3, "enable.auto.commit")

    def test_settings_are_checked_as_the_script_is(self):
        for setting, message in [("workerz=2", "`workerz`.*`workers`"), ("workers=none", "workers"),
                                 ("sink.mod=append", "`mod`.*`mode`"), ("trigger", "=")]:
            with self.subTest(setting=setting):
                run = self.run_sluice("run", self.file("p.lua", GOOD), "--set", setting)
                self.assertEqual(run.code, 2, run.err)
                self.assertRegex(run.err, message)
                self.assertEqual(run.err.count("\n"), 1, run.err)

    def test_usage(self):
        for arguments, message in [(("runn", "p.lua"), "run"), (("run",), "SCRIPT"),
                                   (("run", "--embed", "p.lua"), "--embed")]:
            with self.subTest(arguments=arguments):
                run = self.run_sluice(*arguments)
                self.assertEqual(run.code, 2, run.err)
                self.assertRegex(run.err, message)
