-- States of an aggregate whose members are others now, through `migrate`.
local scripted = require "tests.specs.scripted"
local test = require "sluice.test"

local fails = scripted.fails

local SCRIPT = [[
local sluice = require "sluice"
local span = sluice.aggregate { STATE
   result = function(a) return VALUE end }
return sluice.pipeline { name = "spans", checkpoint = "file:./kept", MIGRATE
   sluice.kafka { topics = "in" }
      :json { sluice.string "k" :required(), sluice.double "n" :required(),
         sluice.int64 "ts" }
      :event_time("ts", { delay = "5 seconds" })
      :group_by "k"
      :window(WINDOW)
      :aggregate { ITEMS }
      :to(sluice.kafka { topic = "out", mode = "update" }) }
]]

-- What the state was, and what it is.
local LOW_HIGH = { STATE = [[
   state = { lo = math.huge, hi = -math.huge, name = "string(8)", seen = "int64",
      last = "int32[3]" },
   fold = function(a, row)
      a.lo, a.hi = math.min(a.lo, row.n), math.max(a.hi, row.n)
      a.name, a.seen, a.last[1] = row.k, a.seen + 1, row.n
   end,
   merge = function(a, b)
      a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi)
      a.name, a.seen, a.last[1] = b.name, a.seen + b.seen, b.last[1]
   end,]], VALUE = "a.hi - a.lo" }
local MIDDLE = { STATE = [[
   state = { low = math.huge, high = -math.huge, count = "int32", whose = "string(16)",
      recent = "double" },
   fold = function(a, row)
      a.low, a.high = math.min(a.low, row.n), math.max(a.high, row.n)
      a.count, a.whose, a.recent = a.count + 1, row.k, row.n
   end,
   merge = function(a, b)
      a.low, a.high = math.min(a.low, b.low), math.max(a.high, b.high)
      a.count, a.whose, a.recent = a.count + b.count, b.whose, b.recent
   end,]], VALUE = "(a.high - a.low) * 100 + a.count * 10 + a.recent + #a.whose / 10" }
local MIGRATE = [[migrate = { span = function(old, new)
      new.low, new.high, new.count = old.lo, old.hi, tonumber(old.seen)
      new.whose, new.recent = old.name, old.last[1]
   end },]]
local TUMBLING = 'sluice.tumbling { size = "10 seconds" }'
local WINDOWS = { TUMBLING, 'sluice.hopping { size = "10 seconds", every = "5 seconds" }',
   'sluice.hopping { size = "60 seconds", every = "5 seconds" }',
   'sluice.session { gap = "10 seconds" }',
   'sluice.running { retain = "forever" }', 'sluice.rolling { size = "10 seconds", '
   .. 'every = "5 seconds" }' }

local function script(...)
   local of = { MIGRATE = "", WINDOW = TUMBLING,
      ITEMS = "rows = sluice.count(), span = span" }
   for _, words in ipairs { ... } do
      for name, text in pairs(words) do of[name] = text end
   end
   return scripted.write(SCRIPT, of)
end

local function rows(...)
   local made = {}
   for i, n in ipairs { ... } do
      made[i] = { k = i % 2 == 1 and "a" or "bc", n = n, ts = 1000 }
   end
   return made
end

-- The rows of both groups that came last.
local function last(p)
   local found = {}
   for _, row in ipairs(p:output()) do found[row.k] = row end
   return found
end

local WAYS = { reload = function(p, path) p:reload(path) end,
   restart = function(p, path) p:restart { script = path } end,
   ["restart with other workers"] = function(p, path)
      p:restart { script = path, workers = 2 }
   end }

for workers, way in ipairs { "reload", "restart", "restart with other workers",
   "reload" } do
   local change = WAYS[way]
   local what = ("a state with other members, %d workers, %s"):format(workers, way)
   describe(what, function()
      local p

      after_each(function()
         p:close()
         scripted.done()
      end)

      local function begin(...)
         p = test.pipeline(script(LOW_HIGH, ...), { workers = workers })
         return p
      end

      for _, window in ipairs(WINDOWS) do
         it("goes on as the new one in " .. window, function()
            begin { WINDOW = window }
            p:batch(rows(3, 20)):batch(rows(8, 70))
            change(p, script(MIDDLE, { MIGRATE = MIGRATE, WINDOW = window }))
            p:output()
            p:batch(rows(4, 30))
            local found = last(p)
            assert.equal(3, found.a.rows)
            assert.equal((8 - 3) * 100 + 3 * 10 + 4 + 0.1, found.a.span)
            assert.equal((70 - 20) * 100 + 3 * 10 + 30 + 0.2, found.bc.span)
            p:restart():batch(rows(9)) -- what is stored is the new state
            assert.equal((9 - 3) * 100 + 4 * 10 + 9 + 0.1, last(p).a.span)
         end)
      end

      it("is not migrated twice", function()
         begin():batch(rows(3))
         change(p, script(MIDDLE, { MIGRATE = MIGRATE }))
         p:batch(rows(5))
         change(p, script(MIDDLE,
            { MIGRATE = "migrate = { span = function() error 'again' end }," }))
         p:batch(rows(7))
         assert.equal(400 + 30 + 7 + 0.1, last(p).a.span)
      end)

      it("stays what it is where the new text goes before a batch", function()
         begin():batch(rows(3))
         change(p, script(MIDDLE, { MIGRATE = MIGRATE }))
         p:restart():batch(rows(5)) -- stored is the old one still
         assert.equal(200 + 20 + 5 + 0.1, last(p).a.span)
      end)

      it("starts from `init` beside aggregates that come and go", function()
         begin { ITEMS = "span = span, most = sluice.max 'n', label = sluice.first 'k'" }
         p:batch(rows(3))
         local state = MIDDLE.STATE .. " init = function(a) a.count = 40 end,"
         change(p, script(MIDDLE, { STATE = state, ITEMS = "label = sluice.first 'k', "
            .. "least = sluice.min 'n', span = span",
            MIGRATE = "migrate = { span = function(old, new) "
               .. "new.low, new.high = old.lo, 9 end }," }))
         p:batch(rows(5))
         local row = last(p).a
         assert.same({ "a", 5, 600 + 410 + 5 + 0.1 }, { row.label, row.least, row.span })
      end)

      it("of a built-in aggregate becomes a user's", function()
         begin { ITEMS = "span = sluice.sum 'n'" }
         p:batch(rows(3)):batch(rows(5))
         change(p, script(MIDDLE, { MIGRATE = "migrate = { span = function(old, new) "
            .. "new.low, new.high, new.count = 0, old.sum + old.rest, old.n end }," }))
         p:batch(rows(6))
         assert.equal(800 + 30 + 6 + 0.1, last(p).a.span)
      end)
   end)
end

describe("a migrate that cannot be", function()
   local p

   before_each(function() p = test.pipeline(script(LOW_HIGH)):batch(rows(3)) end)

   after_each(function()
      p:close()
      scripted.done()
   end)

   local function refused(words, ...)
      local path, texts = script(MIDDLE, words), { ... }
      fails(function() p:reload(path) end, unpack(texts))
      p:output()
      p:batch(rows(5)) -- the old one goes on, with its state
      assert.equal(2, last(p).a.span)
      fails(function() p:restart { script = path } end, unpack(texts))
   end

   it("is asked for where it is missing", function()
      refused({}, "`span` of aggregate aggregate was user() with", "lo double",
         "migrate = { span = function(old, new) new.", "another name")
   end)

   it("throws: told with its place, the group and the old state", function()
      refused({ MIGRATE = "migrate = { span = function(old, new)\n new.low = old.lo\n"
         .. " error 'no way' end }," }, ": no way",
         "while migrating `span`, whose old state is hi = 3",
         "last = { 0, 3, 0 }", 'name = "a"', "seen = 1", 'group {"k":"a"}')
   end)

   it("reads a member that the old state does not have", function()
      refused({ MIGRATE =
         "migrate = { span = function(old, new)\n new.low = old.low end }," },
         ": the state has no member `low`: did you mean `lo`")
   end)

   it("writes to the old state", function()
      refused({ MIGRATE = "migrate = { span = function(old, new)\n old.lo = 1 end }," },
         ": attempt to write to constant location")
      fails(function()
         p = test.pipeline(script(LOW_HIGH)):batch(rows(3)):reload(script(MIDDLE, {
            MIGRATE = "migrate = { span = function(old, new)\n old.last[0] = 1 end }," }))
      end, "the old state is only read")
   end)

   it("gives what does not fit", function()
      refused({ MIGRATE =
         "migrate = { span = function(old, new)\n new.count = 0.5 end }," },
         ": `count`: got 0.5, wanted a whole number")
   end)

   it("returns the new state: it would be lost", function()
      for _, text in ipairs { "{ low = old.lo, high = 7 }", "new", "old", "false" } do
         refused({ MIGRATE = "migrate = { span =\n function(old, new)\n return " .. text
            .. " end }," }, ":14: migrate of `span` returns ", "would be lost",
            "Fill `new`, and return nothing: function(old, new) new.",
            "while migrating `span`, whose old state is hi = 3", 'group {"k":"a"}')
         p:close()
         p = test.pipeline(script(LOW_HIGH)):batch(rows(3))
      end
   end)

   it("keeps state outside, or does not know the new members", function()
      refused({ MIGRATE = "migrate = { span = function(old, new)\n new.lo = 1 end }," },
         ": migrate of `span`: unknown member of the state `lo`")
      fails(function()
         test.pipeline(script(MIDDLE, { MIGRATE = "migrate = { spam = print }," }))
      end, "no aggregate is called `spam`", "did you mean `span`")
      fails(function()
         test.pipeline(script(MIDDLE, { MIGRATE = "migrate = { rows = print }," }))
      end, "`rows` is count()", "sluice.aggregate { state")
   end)
end)
