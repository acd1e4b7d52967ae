--- `:json { fields }`: each record is a JSON object.
-- @module sluice.format.json

local json = {}

--- What the reference says.
json.doc = "`:json { fields }`: each record is a JSON object."

return json
