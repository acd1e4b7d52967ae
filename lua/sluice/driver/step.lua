--- The rows of a step as its functions see them, and the code of its tree of stages: what
-- runs in `prepare` behind a source and in `emit` behind an aggregation.
-- @module sluice.driver.step

local bit = require "bit"

local row = require "sluice.row"

local driver_step = {}

local Step = {}
Step.__index = Step

--- Make the step of a layout.
-- @tparam table columns by slot
-- @param calls where the binary's functions are
-- @treturn table Step: `{ layout =, … }`
function driver_step.new(columns, calls)
   return setmetatable({ layout = row.layout(columns), views = {}, calls = calls }, Step)
end

--- The ctype through which functions of a stage see the rows.
-- @tparam table schema
-- @treturn cdata
function Step:view(schema)
   if not self.views[schema] then self.views[schema] = self.layout:view(schema) end
   return self.views[schema]
end

local branches

-- Guarded: a node that has thrown for this row is not called again, nor what lies behind
-- it.
local function alive(options, mask)
   return options.guarded and ("band(v.dead[i], %d) == 0 and "):format(mask) or ""
end

local function mask_of(node)
   return bit.lshift(1, node - 1)
end

local STAGES = {}

function STAGES.filter(code, step, stage, options)
   local rows = code:array("rows", step:view(stage.schema))
   code:line("v.node = %d", options.first_node + stage.node - 1)
   local condition = alive(options, mask_of(stage.node)) .. code:use(stage.fn)
   code:line("if %s(%s[i][0]) then", condition, rows)
   branches(code, step, stage.next, options)
   code:line "end"
end

function STAGES.derive(code, step, stage, options)
   local rows = code:array("rows", step:view(stage.schema))
   local mask = 0
   for _, column in ipairs(stage.columns) do mask = mask + mask_of(column.node) end
   code:line("if %strue then", alive(options, mask))
   code:line("local r = %s[i][0]", rows)
   for _, column in ipairs(stage.columns) do
      local label = column.what or ("derive `%s`"):format(column.name)
      local set = code:use(step.layout:setter(column.slot, label, step.calls))
      code:line("v.node = %d", options.first_node + column.node - 1)
      code:line("%s(r, %s(r), v)", set, code:use(column.fn))
   end
   branches(code, step, stage.next, options)
   code:line "end"
end

function STAGES.output(code, _, stage)
   code:line("out = bor(out, %d)", bit.lshift(1, stage.output - 1))
end

function branches(code, step, tree, options)
   for _, stage in ipairs(tree) do STAGES[stage.op](code, step, stage, options) end
end

--- Write the code of a tree for row `i`: user functions, `v.node` before each, and at
-- last the mask of outputs that the row passed to.
-- @tparam table code Code
-- @tparam table step Step
-- @tparam table tree of the graph
-- @tparam table options `{ guarded = flag, first_node = number of node 1 in `v.node` }`
function driver_step.write(code, step, tree, options)
   code:line "local out = 0"
   branches(code, step, tree, options)
   code:line "v.outputs[i] = out"
end

return driver_step
