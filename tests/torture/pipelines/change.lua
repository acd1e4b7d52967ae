-- What a text has beside its pipeline's own. This is the first text; changes.py writes
-- the next ones.
return { text = 0 }
