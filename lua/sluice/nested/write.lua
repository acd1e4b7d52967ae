--- From a Lua value to a block (runtime/shared/nested.h): code made for each type, which
-- checks what it writes. What does not fit is an error with the path to it: "[2].lat".
-- @module sluice.nested.write

local bit = require "bit"
local cjson = require "cjson"
local ffi = require "ffi"

local bounds = require "sluice.bounds"
local decimal = require "sluice.decimal"
local nearest = require "sluice.nearest"
local read = require "sluice.nested.read"
local shape = require "sluice.shape"
local units = require "sluice.units"

local write = {}

-- Lua nests 200 blocks at most: so deep, a function of its own begins.
local DEEP = 8
local LARGEST = 2 ^ 31
-- Keys put in order one by one; more of them by table.sort, which is not compiled.
local MANY = 32

local FUNCTION = [[
local w, K, L = ...
local cast, copy, type, pairs = L.cast, L.copy, L.type, L.pairs
local null, bor, valid, words, room = L.null, L.bor, L.valid, L.words, L.room
local refuse, integer, number, days = L.refuse, L.integer, L.number, L.days
local sort, known = L.sort, L.known
local i32, u32, i64, u64, f64 = L.i32, L.u32, L.i64, L.u64, L.f64
return function(o, x0)
%s
return o
end]]

--- Make room for `count` bytes behind `o`.
local function room(w, o, count)
   if o + count <= w.room then return end
   if o + count >= LARGEST then error(w.label .. ": more than 2 GiB", 0) end
   local larger = math.max(o + count, w.room * 2)
   local data = ffi.new("uint8_t[?]", larger)
   ffi.copy(data, w.data, o)
   w.data, w.room = data, larger
end

local function path_of(w, parts)
   local text = {}
   for i, part in ipairs(parts) do
      local at = w.at[part]
      if type(part) == "string" then
         text[i] = part
      elseif type(at) == "number" then
         text[i] = ("[%d]"):format(at)
      else
         text[i] = "." .. tostring(at)
      end
   end
   return (table.concat(text):gsub("^%.", ""))
end

local function shown(x)
   if type(x) == "number" then return ("%.17g"):format(x) end
   if type(x) == "boolean" or decimal.is(x) then return tostring(x) end
   if x == nil or x == cjson.null then return "nothing" end
   return type(x)
end

local function fail(w, parts, message)
   local path = path_of(w, parts)
   error(("%s: %s%s"):format(w.label, path == "" and "" or path .. ": ", message), 0)
end

local function refuse(w, parts, x, wanted)
   fail(w, parts, ("got %s, wanted %s"):format(shown(x), wanted))
end

local function integer(w, parts, x, wanted, limit)
   if ffi.istype("int64_t", x) and (not limit or (x >= -limit and x <= limit)) then
      return x
   end
   refuse(w, parts, ffi.istype("int64_t", x) and tonumber(x) or x, wanted)
end

local function number(w, parts, x)
   if ffi.istype("int64_t", x) then return tonumber(x) end
   refuse(w, parts, x, "double")
end

local function days(w, parts, x)
   local day = type(x) == "string" and units.date(x) or x
   if type(day) == "number" and day % 1 == 0 and day >= -2 ^ 31 and day < 2 ^ 31 then
      return day
   end
   fail(w, parts, ("got %s, wanted date: days since 1970-01-01, or text like "
      .. "\"2024-05-01\""):format(type(x) == "string" and ("%q"):format(x) or shown(x)))
end

-- A name that the struct does not have: its value would be lost.
local function known(w, parts, x, names)
   for name in pairs(x) do
      if not names[name] then
         fail(w, parts, ("has no field `%s`%s"):format(tostring(name),
            nearest.hint(tostring(name), names)))
      end
   end
end

-- Keys of a map by their bytes, as nested.h has them.
local function sort(keys, count)
   if count > MANY then return table.sort(keys) end
   for i = 2, count do
      local key, j = keys[i], i - 1
      while j > 0 and key < keys[j] do
         keys[j + 1] = keys[j]
         j = j - 1
      end
      keys[j + 1] = key
   end
end

local Code = {}
Code.__index = Code

function Code:line(text, ...)
   self.lines[#self.lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

function Code:use(it)
   self.values[#self.values + 1] = it
   return ("K[%d]"):format(#self.values)
end

-- The statement that refuses variable `x`.
function Code:refuse(x, path, wanted)
   return ("refuse(w, %s, %s, %q)"):format(self:use(path), x, wanted)
end

local WHOLE = "whole number within 2^53"
local NOT_WITHIN = "if type(X) ~= 'number' or X % 1 ~= 0 or X < LOW or X > HIGH then"
local SCALARS = {}

function SCALARS.bool(code, x, path)
   code:line("if type(%s) ~= 'boolean' then %s end", x, code:refuse(x, path, "bool"))
   code:line("room(w, o, 1) w.data[o] = %s and 1 or 0 o = o + 1", x)
end

function SCALARS.int32(code, x, path)
   code:line((NOT_WITHIN:gsub("%w+", { X = x, LOW = "-2147483648",
      HIGH = "2147483647" })))
   code:line("%s end", code:refuse(x, path, "int32: a whole number of 32 bits"))
   code:line("room(w, o, 4) cast(i32, w.data + o)[0] = %s o = o + 4", x)
end

function SCALARS.date(code, x, path)
   code:line("%s = days(w, %s, %s)", x, code:use(path), x)
   code:line("room(w, o, 4) cast(i32, w.data + o)[0] = %s o = o + 4", x)
end

function SCALARS.int64(code, x, path, of)
   local limit = of.exact and "nil" or ("%.0f"):format(2 ^ 53)
   code:line((NOT_WITHIN:gsub("%w+", { X = x, LOW = "-9007199254740992",
      HIGH = "9007199254740992" })))
   code:line("%s = integer(w, %s, %s, %q, %s) end", x, code:use(path), x,
      ("%s: a %s"):format(of.type, WHOLE), limit)
   code:line("room(w, o, 8) cast(i64, w.data + o)[0] = %s o = o + 8", x)
end
SCALARS.timestamp = SCALARS.int64

function SCALARS.double(code, x, path)
   code:line("if type(%s) ~= 'number' then %s = number(w, %s, %s) end", x, x,
      code:use(path), x)
   code:line("room(w, o, 8)")
   code:line("if %s ~= %s then cast(i64, w.data + o)[0] = 0x7ff8000000000000LL", x, x)
   code:line("elseif %s == 0 then cast(f64, w.data + o)[0] = 0", x)
   code:line("else cast(f64, w.data + o)[0] = %s end o = o + 8", x)
end

function SCALARS.decimal(code, x, path, of)
   local inner = of.shape
   code:line("do local low, high = words(%s, %d, %d)", x, inner.precision, inner.scale)
   code:line("if not low then %s end", code:refuse(x, path, shape.text(of)))
   code:line("room(w, o, 16)")
   code:line("cast(u64, w.data + o)[0], cast(i64, w.data + o + 8)[0] = low, high")
   code:line("o = o + 16 end")
end

local function put_text(code, x)
   code:line("room(w, o, 4 + #%s) cast(u32, w.data + o)[0] = #%s", x, x)
   code:line("copy(w.data + o + 4, %s, #%s) o = o + 4 + #%s", x, x, x)
end

function SCALARS.string(code, x, path)
   code:line("if type(%s) ~= 'string' then %s end", x, code:refuse(x, path, "string"))
   code:line("if valid(%s, #%s) == 0 then %s end", x, x,
      code:refuse(x, path, "string of valid UTF-8"))
   put_text(code, x)
end

function SCALARS.bytes(code, x, path)
   code:line("if type(%s) ~= 'string' then %s end", x, code:refuse(x, path, "bytes"))
   put_text(code, x)
end

local value

local function joined(path, ...)
   local longer = {}
   for i, part in ipairs(path) do longer[i] = part end
   for _, part in ipairs { ... } do longer[#longer + 1] = part end
   return longer
end

local function need_table(code, x, path, of)
   code:line("if type(%s) ~= 'table' then %s end", x,
      code:refuse(x, path, shape.text(of)))
end

-- What stands for a null; else the lines that follow write `x`.
local function null_item(code, x, path, of)
   code:line("if %s == nil or %s == null then", x, x)
   if of.default ~= nil then
      local is_block = shape.BLOCKS[of.type]
      local default = is_block and read.block(of, of.default) or of.default
      code:line("%s = %s end", x, code:use(default))
   elseif of.required then
      code:line("%s end", code:refuse(x, path, shape.text(of)))
   else
      return true
   end
end

local function item(code, of, x, path, depth)
   code:line("room(w, o, 1)")
   if null_item(code, x, path, of) then code:line("w.data[o] = 1 o = o + 1 else") end
   code:line("w.data[o] = 0 o = o + 1")
   value(code, of, x, path, depth)
   if of.default == nil and not of.required then code:line("end") end
end

local CONTAINERS = {}

function CONTAINERS.list(code, of, x, path, depth)
   local inner, y = joined(path, code.base + depth), "x" .. depth
   need_table(code, x, path, of)
   code:line("local n%d, c%d = #%s, 0", depth, depth, x)
   code:line("for _ in pairs(%s) do c%d = c%d + 1 end", x, depth, depth)
   code:line("if c%d > n%d then %s end", depth, depth, code:refuse(x, path, shape.text(of)
      .. ", elements from 1 on, sluice.null for null ones"))
   code:line("room(w, o, 4) cast(u32, w.data + o)[0] = n%d o = o + 4", depth)
   code:line("for i%d = 1, n%d do", depth, depth)
   code:line("local %s = %s[i%d] w.at[%d] = i%d", y, x, depth, code.base + depth, depth)
   code:line("if %s == nil then %s end", y,
      code:refuse(y, inner, "a value; write sluice.null for a null element"))
   item(code, of.shape.item, y, inner, depth)
   code:line("end")
end

function CONTAINERS.map(code, of, x, path, depth)
   local inner, y = joined(path, code.base + depth), "x" .. depth
   need_table(code, x, path, of)
   code:line("local keys%d, n%d = {}, 0", depth, depth)
   code:line("for k in pairs(%s) do", x)
   code:line("if type(k) ~= 'string' or valid(k, #k) == 0 then %s end",
      code:refuse("k", path, "keys that are strings of valid UTF-8"))
   code:line("n%d = n%d + 1 keys%d[n%d] = k end", depth, depth, depth, depth)
   code:line("sort(keys%d, n%d)", depth, depth)
   code:line("room(w, o, 4) cast(u32, w.data + o)[0] = n%d o = o + 4", depth)
   code:line("for i%d = 1, n%d do", depth, depth)
   code:line("local k%d = keys%d[i%d] w.at[%d] = k%d", depth, depth, depth,
      code.base + depth, depth)
   put_text(code, "k" .. depth)
   code:line("local %s = %s[k%d]", y, x, depth)
   item(code, of.shape.item, y, inner, depth)
   code:line("end")
end

function CONTAINERS.struct(code, of, x, path, depth)
   local fields, names = of.shape.fields, {}
   for i, field in ipairs(fields) do names[i], names[field.name] = field.name, true end
   need_table(code, x, path, of)
   code:line("known(w, %s, %s, %s)", code:use(path), x, code:use(names))
   local bytes = math.ceil(#fields / 8)
   code:line("local b%d = o room(w, o, %d) o = o + %d", depth, bytes, bytes)
   code:line("for i = b%d, o - 1 do w.data[i] = 0 end", depth)
   for i, field in ipairs(fields) do
      local inner, y = joined(path, "." .. field.name), "x" .. depth
      code:line("do local %s = %s[%q]", y, x, field.name)
      local is_nullable = null_item(code, y, inner, field)
      if is_nullable then
         local at = ("w.data[b%d + %d]"):format(depth, math.floor((i - 1) / 8))
         code:line("%s = bor(%s, %d) else", at, at, bit.lshift(1, (i - 1) % 8))
      end
      value(code, field, y, inner, depth)
      code:line(is_nullable and "end end" or "end")
   end
end

function value(code, of, x, path, depth)
   local check = bounds.of(of)
   if check then
      code:line("do local wrong = %s(%s)", code:use(check), x)
      code:line("if wrong then refuse(w, %s, %s, wrong) end end", code:use(path), x)
   end
   local container = CONTAINERS[of.type]
   if not container then return SCALARS[of.type](code, x, path, of) end
   if depth >= DEEP then
      local deeper = code.compile(of, path)
      code:line("o = %s(o, %s)", code:use(deeper), x)
      return
   end
   code:line("do")
   container(code, of, x, path, depth + 1)
   code:line("end")
end

-- Depth counts from 1 anew in a function of its own; places of the path do not.
local function compile(w, library, of, path, base)
   local code = setmetatable({ lines = {}, values = {}, base = base }, Code)
   function code.compile(inner, inner_path)
      return compile(w, library, inner, inner_path, base + DEEP)
   end
   value(code, of, "x0", path, 0)
   local text = FUNCTION:format(table.concat(code.lines, "\n"))
   return assert(load(text, "=sluice:write"))(w, code.values, library)
end

--- Make the function that writes values of a type.
-- @tparam table of column or spec of the type
-- @tparam string label who gives the value, for messages: "derive `stops`"
-- @param calls where `sl_text_is_valid` is: ffi.C, or a table in tests
-- @treturn function (value) → pointer to the block, its length; good until the next call
function write.writer(of, label, calls)
   local w = { label = label, data = ffi.new "uint8_t[64]", room = 64, at = {} }
   local library = {
      cast = ffi.cast, copy = ffi.copy, type = type, pairs = pairs,
      null = cjson.null, bor = bit.bor, valid = calls.sl_text_is_valid,
      words = decimal.words, room = room, refuse = refuse, integer = integer,
      number = number, days = days, sort = sort, known = known,
      i32 = ffi.typeof "int32_t *", u32 = ffi.typeof "uint32_t *",
      i64 = ffi.typeof "int64_t *", u64 = ffi.typeof "uint64_t *",
      f64 = ffi.typeof "double *",
   }
   local put = compile(w, library, of, {}, 0)
   return function(x)
      local len = put(0, x)
      return w.data, len
   end
end

return write
