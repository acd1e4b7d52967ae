-- Each function of the corpus in the loop in which production runs it: whether it is
-- compiled as its comments say, whether the watch and `sluice check` tell what is not,
-- and whether its results are those of the interpreter. The verdict is that of
-- `spy/sluice/main.lua`, which stands in the script's own Lua state.
local cjson = require "cjson"
local host = require "sluice.test.host"

local FOLDER = debug.getinfo(1, "S").source:match "^@(.*/)"
package.path = FOLDER .. "?.lua;" .. package.path
local corpus = require "corpus"

-- A loop that cannot be compiled is given up after some 40,000 turns.
local BATCH, WARM, TO_GIVE_UP = 2048, 6, 26
-- Batches whose results are held to those of the interpreter.
local COMPARED = 2
-- A trace that is stitched makes a call a row; one that is left for each row runs tens of
-- instructions. A few are the way into the loop, and rows that few are like.
local MOST_CALLS, MOST_INSTRUCTIONS = 0.5, 4

local KINDS = { "ride_started", "ride_completed", "heartbeat", "ride_cancelled" }
local TOWNS = { "Rome", "Berlin", "Oslo", "Lima" }
local NOTES = { '"  some note "', "null", '"ab-12"', '"a Crawler came"', '""' }
local TAGS = { "[]", '["new"]', '["vip","weekend"]', '["b","a","long one"]' }

local ITEMS = { "[]", '[{"sku":"x","count":2,"price":1.5}]',
   '[{"sku":"y","count":1,"price":%d},{"sku":"z","count":3,"price":9.25}]' }

local ROW = '{"id":%d,"kind":"%s","user":"u%d","path":"%s","note":%s,"amount":%s,'
   .. '"lat":%.2f,"lon":%.2f,"active":%s,"serial":%s,"price":"%.2f","at":%d,'
   .. '"day":"2026-%02d-%02d","tags":%s,"items":%s,'
   .. '"place":{"city":"%s","height":%d},"labels":%s}'

local PATHS = { "/api/v2/rides/%d", "/index.php", "/static/pic/%d.png", "/api/account" }

local function pick(list, i) return list[i % #list + 1] end

local function row(i)
   local serial = tostring(4611686018427387904LL + i * 7919LL):match "%d+"
   return ROW:format(i, pick(KINDS, i), math.floor(i / 4) % 500,
      pick(PATHS, i * 7 % 11):format(i % 997), pick(NOTES, i), i % 7 == 0 and "null"
         or ("%.2f"):format(i * 7907 % 9000 / 100),
      i * 37 % 9000 / 100 - 20, i * 91 % 18000 / 100 - 90, tostring(i % 3 == 0), serial,
      i * 31 % 10000 / 100, 1767225600000 + i, i % 12 + 1, i % 28 + 1, pick(TAGS, i),
      pick(ITEMS, i):format(i % 20), pick(TOWNS, i), i % 900,
      i % 2 == 0 and '{"via":"app","to":"web"}' or "{}")
end

local records = {}
for i = 1, TO_GIVE_UP * BATCH do records[i] = { value = row(i) } end

-- What the comments of a case say, by line: `-- told: REASON`; in front of the colon
-- `rarely` where few rows come there, `unseen` where check cannot know, `either` where it
-- is for the trace compiler's luck. And the lines that check tells.
local function wanted_of(case, names)
   local wanted, lines, at, inside = {}, {}, 0, false
   for line in io.lines(FOLDER .. case.file .. ".lua") do
      at = at + 1
      local name = line:match '^   [%w ={%(]*"([^"]+)",'
      if name and names[name] then inside = name == case.name end
      local note, reason = line:match "%-%- told(.-): (.*)$"
      if inside and reason then
         wanted[at] = { reason = reason, rarely = note:find "rarely",
            either = note:find "either" }
         if not note:find "unseen" then lines[at] = true end
      end
   end
   return wanted, lines
end

local function run(handle)
   local batches, problem = host.run(handle)
   assert(batches, problem)
end

-- A case in the runtime; with `jit_off` in the interpreter alone.
local function open(case, jit_off)
   local handle = assert(host.open { path = FOLDER .. "pipeline.lua", sets = {},
      params = { "case=" .. case.name }, workers = 1, now = 1767225600000,
      jit_off = jit_off })
   return { handle = handle, out = {}, batches = 0 }
end

local function collect(p)
   for sink = 1, 4 do
      for _, message in ipairs(host.take(p.handle, sink)) do
         p.out[#p.out + 1] = ("%s %s=%s"):format(message.topic or "", message.key or "",
            message.value or "")
      end
   end
end

local function batch(p)
   for i = p.batches * BATCH + 1, (p.batches + 1) * BATCH do
      host.feed(p.handle, "rows", 0, records[i])
   end
   p.batches = p.batches + 1
   run(p.handle)
   collect(p)
end

-- Run batches, the last one under the spy's eyes.
local function spy_on(p, batches)
   while p.batches < batches - 1 do batch(p) end
   assert(host.describe(p.handle))
   batch(p)
   local text = assert(host.describe(p.handle))
   local report = cjson.decode(text)
   report.calls = report.calls / BATCH
   report.rate = report.events / BATCH
   report.compiled = report.calls < MOST_CALLS
      and report.rate - report.calls < MOST_INSTRUCTIONS
   return report
end

local function finish(p)
   assert(host.finish(p.handle))
   collect(p)
   host.close(p.handle)
   return p.out
end

local function dearest(places)
   local list = {}
   for place, count in pairs(places) do list[#list + 1] = { place, count } end
   table.sort(list, function(a, b) return a[2] > b[2] end)
   local lines = {}
   for i = 1, math.min(#list, 8) do
      lines[i] = ("%6d %s"):format(list[i][2], list[i][1])
   end
   return table.concat(lines, "\n")
end

local function shown(report)
   return ("%.2f a row in the interpreter, %.2f of them calls\n%s\n%s\ntold: %s"):format(
      report.rate, report.calls,
      table.concat(report.loops, "\n"), dearest(report.places), report.told)
end

-- The watch tells of each line that is marked, once, and of nothing else.
local function hold_watch(case, wanted, report)
   local told = {}
   for text in report.told:gmatch "[^\n]+" do
      local line = tonumber(text:match("at %S*" .. case.file .. "%.lua:(%d+)$"))
      assert(line and not told[line], "told without a line, or twice\n" .. shown(report))
      told[line] = text
   end
   for line, one in pairs(wanted) do
      if one.either then return end
      assert(told[line] and told[line]:find(one.reason, 1, true),
         ("%s.lua:%d is not told of\n%s"):format(case.file, line, shown(report)))
      assert(one.rarely or not report.compiled, "it is compiled\n" .. shown(report))
   end
   for line in pairs(told) do
      assert(wanted[line], "more is told\n" .. shown(report))
   end
   assert(next(wanted) or report.compiled, shown(report))
end

-- Batches until the verdict: what is blacklisted takes many.
local function batches_for(wanted)
   for _, one in pairs(wanted) do
      if one.reason:find "is made" then return TO_GIVE_UP end
   end
   return WARM
end

-- Lines of a case's file at which check says that something is not compiled.
local function checked_lines(case, findings)
   local lines = {}
   for _, one in ipairs(findings) do
      local line = one.code == "W33" and one.at:match(case.file .. "%.lua:(%d+)$")
      if line then lines[tonumber(line)] = true end
   end
   return lines
end

describe("a user's function", function()
   local names, cases = {}, corpus.cases()
   for _, case in ipairs(cases) do names[case.name] = true end

   for _, case in ipairs(cases) do
      local wanted, lines = wanted_of(case, names)

      it(case.file .. ": " .. case.name, function()
         local p = open(case)
         local report = spy_on(p, batches_for(wanted))
         -- ways through a function that are seldom gone take longer to get hot
         if not next(wanted) and not report.compiled then
            report = spy_on(p, TO_GIVE_UP)
         end
         hold_watch(case, wanted, report)
         assert.same(lines, checked_lines(case, report.findings), "what check tells")
         local compiled = finish(p)

         local plain = open(case, true)
         for _ = 1, COMPARED do batch(plain) end
         host.close(plain.handle)
         assert(plain.out[1], "no results")
         for i, message in ipairs(plain.out) do
            if message ~= compiled[i] then assert.equal(message, compiled[i]) end
         end
      end)
   end
end)
