--- The nodes of a pipeline as a graph: who follows whom, what stands before a stage.
local chain = {}

local function inputs_of(node)
   local list = { node.parent }
   for _, other in ipairs(node.others or {}) do list[#list + 1] = other end
   return list
end

-- Nodes before and with `node`, each once, those before first.
local function visit(node, seen, order, followers)
   if seen[node] then return end
   seen[node] = true
   for _, input in ipairs(inputs_of(node)) do
      visit(input, seen, order, followers)
      table.insert(followers[input], node)
   end
   followers[node] = {}
   order[#order + 1] = node
end

--- `{ followers = { [node] = { node, … } }, order = { node, … }, sources = { … } }`:
--- all in the script's order, inputs before what follows them.
function chain.of(pipeline)
   local made = { followers = {}, order = {}, sources = {} }
   local seen = {}
   for _, leaf in ipairs(pipeline.branches) do
      visit(leaf, seen, made.order, made.followers)
   end
   for _, node in ipairs(made.order) do
      if node.op == "source" then made.sources[#made.sources + 1] = node end
   end
   return made
end

--- The stages that keep state (`is_stage`) or sources right before a node.
function chain.before(node, is_stage)
   local found, seen = {}, {}
   local function look(one)
      if seen[one] then return end
      seen[one] = true
      if one.op == "source" or is_stage(one) then
         found[#found + 1] = one
         return
      end
      for _, input in ipairs(inputs_of(one)) do look(input) end
   end
   for _, input in ipairs(inputs_of(node)) do look(input) end
   return found
end

--- Nodes of an operation behind a node, as far as `stops(node)` lets it look.
function chain.behind(followers, node, op, stops, found)
   found = found or {}
   for _, follower in ipairs(followers[node]) do
      if follower.op == op then found[#found + 1] = follower end
      if not stops(follower) then
         chain.behind(followers, follower, op, stops, found)
      end
   end
   return found
end

return chain
