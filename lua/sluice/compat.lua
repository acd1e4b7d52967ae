--- Whether stored state goes with a script: compares the shape that was stored with the
-- script's own, by the classes of docs/semantics.md.
-- Accepted without a word: whatever the shape does not hold (functions, filters, columns,
-- sinks, delays, limits). Accepted and told: aggregates and stages that are new, which
-- start empty, and states of another layout that `migrate` takes over. Accepted and
-- warned of: those that are gone, and their state. Refused: other sources, keys, windows,
-- shards, and states of the same name that are laid out in another way.
-- @module sluice.compat

local cjson = require "cjson"

local compat_migrate = require "sluice.compat.migrate"
local compat_shape = require "sluice.compat.shape"
local explain_json = require "sluice.explain.json"
local fill = require "sluice.compat.fill"
local layout = require "sluice.compat.layout"
local tables = require "sluice.tables"
local units = require "sluice.units"
local window = require "sluice.window"

local compat = {}

local Verdict = {}
Verdict.__index = Verdict

function Verdict:refuse(text, ...)
   local at = self.places[self.at]
   self.refusals[#self.refusals + 1] = (at and at .. ": " or "") .. text:format(...)
end

function Verdict:tell(text, ...)
   self.notes[#self.notes + 1] = text:format(...)
end

-- State that goes.
function Verdict:lose(text, ...)
   self.loses = true
   self:tell(text, ...)
end

-- What becomes of a table of the stored state.
function Verdict:change(section, fate, map, migrates)
   map = map or { runs = {}, parts = {} }
   table.insert(self.changes, { section = section, fate = fate, runs = map.runs,
      parts = map.parts, migrates = migrates })
end

local function same(a, b)
   if a == nil or b == nil then return a == b end
   return explain_json.encode { a } == explain_json.encode { b }
end

-- -- how things are called in messages

local function say_list(list)
   return #list > 0 and table.concat(list, ", ") or "nothing"
end

local function say_keys(keys)
   local parts = {}
   for i, key in ipairs(keys) do parts[i] = key.name .. " " .. key.type end
   return #parts > 0 and table.concat(parts, ", ") or "one global group"
end

local function say_window(of)
   local text = window.say(of)
   if of.offset_ms ~= 0 then text = text .. ", offset " .. units.say(of.offset_ms) end
   if of.allowed_lateness_ms ~= 0 then
      text = text .. ", allowed lateness " .. units.say(of.allowed_lateness_ms)
   end
   return text
end

local function say_within(within_ms)
   return within_ms and units.say(within_ms) or "for ever"
end

local function say_time(time)
   if not time then return "none" end
   return time.fn and "a function" or ("`%s` in %s"):format(time.field, time.unit or "ms")
end

local function say_inputs(source)
   local what = source.pattern and "the pattern " .. source.pattern
      or say_list(source.inputs)
   if not source.partitions then return ("%s %s"):format(source.connector, what) end
   return ("%s %s (partitions %s)"):format(source.connector, what,
      table.concat(source.partitions, ", "))
end

-- As a script says it.
local function say_type(text)
   text = text:gsub("struct { uint16_t len; char data%[(%d+)%]; }", "string(%1)")
   return (text:gsub("(int%d+)_t", "%1"))
end

local function say_item(item)
   local members = {}
   for i, member in ipairs(item.members) do
      members[i] = member.name .. " " .. say_type(member.type)
   end
   return ("%s(%s) with %s"):format(item.kind, table.concat(item.inputs, ", "),
      say_list(members)) .. (item.meaning and " of " .. item.meaning or "")
end

-- -- sources and shards

local function compare_sources(verdict, old, new)
   if #old ~= #new then
      verdict:refuse("there were %d sources, and there are %d", #old, #new)
      return
   end
   for i, before in ipairs(old) do
      local now = new[i]
      verdict.at = "source " .. i
      if say_inputs(before) ~= say_inputs(now) then
         verdict:refuse("source %d was %s, and is %s", i, say_inputs(before),
            say_inputs(now))
      elseif not same(before.time, now.time) then
         verdict:refuse("the event time of source %d (%s) was %s, and is %s", i,
            say_inputs(now), say_time(before.time), say_time(now.time))
      end
   end
end

-- -- stages

local function called(operator)
   return ("%s %s"):format(operator.kind, operator.name)
end

-- What holds for stages of all kinds.
local function compare_stage(verdict, old, new)
   local name = called(new)
   if not same(old.reads, new.reads) then
      verdict:refuse("%s took rows of %s, and takes them of %s", name,
         say_list(old.reads), say_list(new.reads))
   end
   if not same(old.keys, new.keys) then
      verdict:refuse("the key of %s was %s, and is %s", name, say_keys(old.keys),
         say_keys(new.keys))
   end
end

local function members_of(item)
   local members = {}
   for i, member in ipairs(item.members) do
      members[i] = { member.name, member.type, member.size }
   end
   return members
end

local function is_same_item(old, new)
   return old.kind == new.kind and same(old.inputs, new.inputs)
      and old.meaning == new.meaning and same(members_of(old), members_of(new))
end

-- Who only gave it another name did not mean to lose it.
local function say_renamed(name, added)
   if #added == 0 then return "" end
   return (": state goes by name; if it was only renamed (to `%s`), call it `%s` again, "
      .. "and go back by `sluice checkpoint rollback`"):format(
      table.concat(added, "`, `"), name)
end

-- An aggregate whose state has other members: `migrate` brings it over.
local function compare_members(verdict, operator, was, item)
   local problem = compat_migrate.problem(was, item)
   local declared = (verdict.migrates[operator.name] or {})[item.name]
   if declared and not problem then
      verdict.migrated[item.name] = was
      return verdict:tell("%s: `%s` is migrated: it was %s, and is %s", called(operator),
         item.name, say_item(was), say_item(item))
   end
   verdict:refuse("`%s` of %s was %s, and is %s: %s", item.name, called(operator),
      say_item(was), say_item(item), problem
      or compat_migrate.advice(was, item, operator.name, verdict.operators))
end

local function compare_items(verdict, old, new)
   local before = {}
   for _, item in ipairs(old.items) do before[item.name] = item end
   local added = {}
   for _, item in ipairs(new.items) do
      local was = before[item.name]
      before[item.name] = nil
      if not was then
         added[#added + 1] = item.name
         verdict:tell("%s: `%s` is new and %s", called(new), item.name,
            fill.say(verdict.wants, new, true))
      elseif not is_same_item(was, item) then
         compare_members(verdict, new, was, item)
      end
   end
   for _, item in ipairs(old.items) do
      if before[item.name] then
         verdict:lose("%s: `%s` is gone, and with it its state%s", called(new), item.name,
            say_renamed(item.name, added))
      end
   end
end

local function compare_layout(verdict, old, new)
   local section = called(new)
   local function picture(of)
      return { of.items, of.state_size, of.part_count, of.span_offset or -1 }
   end
   if same(picture(old), picture(new)) then return verdict:change(section, "same") end
   local migrated = next(verdict.migrated) and verdict.migrated
   local map, apart = layout.map(old, new, verdict.migrated)
   if map then return verdict:change(section, "mapped", map, migrated) end
   verdict:refuse("`%s` of %s was kept together with another aggregate over the same "
      .. "values, and no longer is: give it another name, under which it starts empty",
      apart, section)
end

local function compare_sent(verdict, old, new)
   if not old.sent then return end
   local section = "sent " .. new.name
   if not new.sent then return verdict:change(section, "gone") end
   if same(old.sent, new.sent) then return verdict:change(section, "same") end
   verdict:change(section, "mapped", layout.map_sent(old.sent, new.sent))
end

local COMPARE = {}

function COMPARE.aggregate(verdict, old, new)
   local name, refused = called(new), #verdict.refusals
   verdict.migrated = {}
   compare_stage(verdict, old, new)
   if not same(old.window, new.window) then
      verdict:refuse("the window of %s was %s, and is %s", name,
         say_window(old.window), say_window(new.window))
   end
   if old.is_complete ~= new.is_complete then
      verdict:refuse("%s was%s in mode complete, where nothing is ever dropped, "
         .. "and is%s", name, old.is_complete and "" or " not",
         new.is_complete and " now" or " no longer")
   end
   compare_items(verdict, old, new)
   if #verdict.refusals > refused then return end
   compare_layout(verdict, old, new)
   compare_sent(verdict, old, new)
end

function COMPARE.distinct(verdict, old, new)
   if old.within_ms ~= new.within_ms then
      verdict:refuse("%s was within %s, and is within %s", called(new),
         say_within(old.within_ms), say_within(new.within_ms))
   end
   compare_stage(verdict, old, new)
   verdict:change(called(new), "same")
end

local function drop(verdict, operator)
   verdict:change(called(operator), "gone")
   if operator.sent then verdict:change("sent " .. operator.name, "gone") end
end

-- State goes by name: one that went while another came has most likely been renamed.
local function compare_rest(verdict, gone, new)
   for _, name in ipairs(tables.keys(new)) do
      verdict.at = name
      for _, old in ipairs(tables.keys(gone)) do
         if gone[old].kind == new[name].kind then
            verdict:refuse("%s is gone, and %s is new: state goes by name: call the "
               .. "stage `%s` as before; if it is meant to go, take it out first, run, "
               .. "and then add the other", old, name, gone[old].name)
         end
      end
      verdict:tell("%s is new and %s", name, fill.say(verdict.wants, new[name], false))
   end
   for _, old in ipairs(tables.keys(gone)) do
      drop(verdict, gone[old])
      verdict:lose("%s is gone, and with it its state", old)
   end
end

local function compare_operators(verdict, old, new)
   local gone, added = {}, {}
   for _, operator in ipairs(old) do gone[called(operator)] = operator end
   for _, operator in ipairs(new) do
      local name = called(operator)
      local before = gone[name]
      gone[name] = nil
      verdict.at = name
      if before then
         COMPARE[operator.kind](verdict, before, operator)
      else
         added[name] = operator
      end
   end
   compare_rest(verdict, gone, added)
end

-- -- all

local WAYS_OUT = "put the script back as it was, or give the pipeline another `name`: "
   .. "under that it begins at `start` with empty state"

local function conclude(verdict, old, new)
   if #verdict.refusals > 0 then
      return { verdict = "refused", messages = verdict.refusals, changes = {},
         ways_out = WAYS_OUT }
   end
   return { verdict = "accepted", messages = verdict.notes, changes = verdict.changes,
      loses = verdict.loses,
      fills = fill.of(old.operators, new.operators, verdict.wants, verdict.changes) }
end

local function refuse_all(text, ...)
   return { verdict = "refused", messages = { text:format(...) }, changes = {},
      ways_out = "run the sluice that wrote it, or a newer one" }
end

--- Compare.
-- @tparam string stored shape, JSON as `sluice.compat.shape` writes it
-- @tparam string own the same of the script at hand
-- @tparam ?table migrates stage → aggregate → anything: those that have a `migrate`
-- @tparam ?table wants by name of the aggregation: `backfill`, ms
-- @tparam ?table places FILE:LINE by "aggregate NAME", "source N", "pipeline" …
-- @treturn table `{ verdict = "same"|"accepted"|"refused", messages = {…}, ways_out = of
--  what is refused, changes = { { section = "aggregate NAME", fate =
--  "same"|"mapped"|"gone", runs = { { from =, to =, size = }, … }, parts = {…},
--  migrates = name → item of the stored shape, or nil }, … },
--  loses = true where some state goes, fills = of `sluice.compat.fill` }`; `changes`
--  has each table of the stored state, but of `same` none
function compat.compare(stored, own, migrates, wants, places)
   if stored == own then return { verdict = "same", messages = {}, changes = {} } end
   local right, old = pcall(cjson.decode, stored)
   if not right or type(old) ~= "table" then
      return refuse_all("the stored shape cannot be read: %s", tostring(old))
   end
   if old.version ~= compat_shape.VERSION then
      return refuse_all("the stored shape has version %s, and this sluice knows %d",
         tostring(old.version), compat_shape.VERSION)
   end
   local new = cjson.decode(own)
   local verdict = setmetatable({ refusals = {}, notes = {}, changes = {},
      migrates = migrates or {}, operators = new.operators,
      wants = wants or {}, places = places or {}, at = "pipeline" }, Verdict)
   if old.shards ~= new.shards then
      verdict:refuse("there were %d shards, and there are %d", old.shards, new.shards)
   end
   compare_sources(verdict, old.sources, new.sources)
   compare_operators(verdict, old.operators, new.operators)
   return (conclude(verdict, old, new))
end

return compat
