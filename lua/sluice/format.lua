--- The formats of records: one file in `format/` and one line here each, beside
-- `runtime/codec/codec.c`. A format is the method of a stream that is called like it:
-- `:json { fields }`.
--
-- A format's module gives `doc` (its line in the reference), and may give `OPTIONS`
-- (named options beside the fields), `fields(given)` (→ the fields there are, of those
-- that a script wrote), `problem(field, options)` (→ why it cannot read a field),
-- `fill(fields, options)` (→ options of the plan, has_header), and `encode(source,
-- values)` (name of a column → text; → a record's value: made-up events, rows of specs).
-- @module sluice.format

local format = {}

format.FORMATS = {
   json = require "sluice.format.json",
   csv = require "sluice.format.csv",
   raw = require "sluice.format.raw",
}

return format
