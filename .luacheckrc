std = "luajit"
max_line_length = 90
max_cyclomatic_complexity = 12
exclude_files = { "build*", ".cache" }
files["tests/lua"] = { std = "+busted" }
files["**/*_spec.lua"] = { std = "+busted" }
