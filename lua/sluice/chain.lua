--- Chains of nodes: what stands before what. A node has one parent, a union several.
-- @module sluice.chain

local chain = {}

--- The nodes right before a node, in the script's order; the same one may stand twice.
-- @tparam table node
-- @treturn {table,...}
function chain.parents(node)
   local parents = { node.parent }
   for _, other in ipairs(node.others or {}) do parents[#parents + 1] = other end
   return parents
end

--- All nodes that end in a node, each once, behind those it stands behind.
-- @tparam table leaf
-- @treturn {table,...} the leaf last
function chain.path(leaf)
   local path, seen = {}, {}
   local function visit(node)
      if seen[node] then return end
      seen[node] = true
      for _, parent in ipairs(chain.parents(node)) do visit(parent) end
      path[#path + 1] = node
   end
   visit(leaf)
   return path
end

--- Find a node of some kinds before a node.
-- @tparam table node where to begin
-- @tparam table ops op → true
-- @treturn ?table the first of them in the script
function chain.find(node, ops)
   for _, one in ipairs(chain.path(node)) do
      if ops[one.op] then return one end
   end
end

return chain
