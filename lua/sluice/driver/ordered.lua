--- The code of aggregates with `order = "event time"`: the fold of a row keeps it, the
-- emission opens all rows of the window in their order and folds them there.
--
-- When the user's fold throws there, C notes the row (`v.ordered`) and calls the driver
-- again for the same result with `v.resumes`: states of the panes are merged already, and
-- what an item has folded so far stands in a memo of its own. So a row that throws costs
-- no other row a second fold.
-- @module sluice.driver.ordered

local ffi = require "ffi"

local row = require "sluice.row"
local schema = require "sluice.schema"
local user = require "sluice.aggregate.user"

local driver_ordered = {}

-- Where an item stands with one result.
local MEMO = ffi.typeof "struct { void **rows; uint32_t count, at, is_open, is_done; }"

-- sl_columns of a layout's slots.
local function columns_of(layout, slots)
   local columns = ffi.new("sl_column[?]", math.max(1, #slots))
   for i, slot in ipairs(slots) do
      columns[i - 1].offset, columns[i - 1].null_bit = layout:offset(slot), slot - 1
      columns[i - 1].type = row.TYPES[layout.columns[slot].type]
   end
   return columns
end

--- Write the fold of a row: it is kept.
-- @tparam table code Code
-- @tparam integer k number of the item
-- @tparam table spec resolved
-- @tparam table of schema of the rows
-- @tparam table layout of the rows
function driver_ordered.write_fold(code, k, spec, of, layout)
   local slots = {}
   for i, column in ipairs(spec.rows.columns) do
      slots[i] = of.by_name[column.name].slot
   end
   code:line(spec.where and ("if w%d then"):format(k) or "do")
   code:line("calls.sl_rows_append(v.table, a.m%d_rows, r, v.places[r.__partition], %s, "
      .. "%d) end", k, code:use(columns_of(layout, slots)), #slots)
end

-- Rows as the fold sees them at the close: the columns that were kept.
local function opened_rows(spec)
   local columns, slots = {}, {}
   for slot, column in ipairs(spec.rows.columns) do
      columns[slot] = { name = column.name, type = column.type, exact = column.exact,
         shape = column.shape, slot = slot }
      slots[slot] = slot
   end
   local layout = row.layout(columns)
   return layout, layout:view(assert(schema.new(columns))), columns_of(layout, slots)
end

--- Write what begins a result: nothing is folded yet, of no item. All at once: the fold
-- of one may throw, and those behind it begin when the driver resumes.
-- @tparam table code Code
-- @tparam table items of the state
-- @treturn table number of the item → its memo
function driver_ordered.write_start(code, items)
   local memos = {}
   for k, item in ipairs(items) do
      if item.spec.user and item.spec.user.order then
         memos[k] = code:use(MEMO())
         code:line("if not resumes then %s.is_open, %s.is_done = 0, 0 end", memos[k],
            memos[k])
      end
   end
   return memos
end

local OPEN = [[
if MEMO.is_open ~= 0 then copy(STATE, SAVED, SIZE)
elseif MEMO.is_done == 0 then
   copy(STATE, INITIAL, SIZE)
   MEMO.rows = calls.sl_rows_open(v.text, a.mK_rows, COLUMNS, COUNT, ROW, WORDS, BOX)
   MEMO.count, MEMO.at, MEMO.is_open = BOX[0], 0, 1
end
do local rows = cast(VIEW, MEMO.rows)
   while MEMO.at < MEMO.count do
      local at = MEMO.at
      copy(SAVED, STATE, SIZE)
      v.ordered, MEMO.at = MEMO.rows[at], at + 1
      FOLD(STATE, rows[at][0])
   end
end
v.ordered, MEMO.is_open, MEMO.is_done = nil, 0, 1]]

--- Write the fold of all rows of a result; `resumes` is in scope.
-- @tparam table code Code
-- @tparam integer k number of the item
-- @tparam table spec resolved
-- @tparam cdata struct of the user's state
-- @tparam string memo of `write_start`
-- @treturn string the name of the state
-- @treturn cdata the state
function driver_ordered.write_rows(code, k, spec, struct, memo)
   local layout, view, columns = opened_rows(spec)
   local initial, size, folded = ffi.new(struct), ffi.sizeof(struct), ffi.new(struct)
   user.start(spec.user, initial)
   local names = {
      MEMO = memo, STATE = code:use(folded),
      SAVED = code:use(ffi.new(struct)), INITIAL = code:use(initial), SIZE = size,
      COLUMNS = code:use(columns), COUNT = #layout.columns, ROW = layout.size,
      WORDS = layout.null_words, BOX = code:use(ffi.new "uint32_t[1]"),
      VIEW = code:use(ffi.typeof("$ **", view)), FOLD = code:use(spec.user.fold), K = k,
   }
   code:line((OPEN:gsub("%u+", names)))
   return names.STATE, folded
end

return driver_ordered
