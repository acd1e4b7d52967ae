#!/usr/bin/env python3
"""Hold the tree to its rules: includes by layer, sizes, who may allocate or exit, tail calls,
no debt marks.

    tests/lint/lint.py          prints FILE:LINE: what, and ends with `rules: N files, M problems`
"""
import fnmatch
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAYERS = os.path.join("tests", "lint", "layers.txt")

# (folders, extension, most lines); tests may be twice as long
SIZES = [(("runtime", "state"), ".h", 150), (("runtime", "state"), ".c", 500),
         (("runtime", "state"), ".cpp", 500), (("lua",), ".lua", 350), (("scripts",), ".lua", 60),
         (("tests",), ".h", 300), (("tests",), ".c", 1000), (("tests",), ".lua", 700)]
COLUMNS = 100
FUNCTION_LINES = 60

ALLOCATES = r"(?:malloc|calloc|realloc|reallocarray|free|strdup|strndup|v?asprintf|aligned_alloc|posix_memalign)"
EXITS = r"(?:exit|_exit|_Exit|quick_exit|abort)"
# (pattern, files that may, message)
CALLS = [(re.compile(r"(?<![\w.>])" + ALLOCATES + r"\s*\("), {"runtime/base/mem.c"},
          "allocates outside runtime/base/mem.c"),
         (re.compile(r"(?<![\w.>])" + EXITS + r"\s*\("),
          {"runtime/cli/main.c", "runtime/base/mem.c", "runtime/base/crash.c", "runtime/base/child.c"},
          "exits outside runtime/cli/main.c and runtime/base/mem.c")]
# Lua that C calls (docs/architecture.md, "A rule for Lua that C calls"): no `return f(…)`
CALLED_BY_C = {"lua/sluice/main.lua"}
TAIL_CALL = re.compile(r"\breturn\s+[A-Za-z_][\w.:]*\s*[({']")
MARKS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
TEXT = (".c", ".h", ".cpp", ".lua", ".py", ".java", ".md", ".txt", ".cmake", ".sh")
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(\S+))')
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


# What a log line says, where its text stands there: the documentation has each, at least to its colon
LOGGED = re.compile(r"\blog_(?:info|warn|error|write)\(\s*[^,;]+?,(?:\s*LOG_[A-Z]+,)?\s*"
                    r'((?:"(?:\\.|[^"\\\n])*"\s*)+),')
LOG_LINES = os.path.join("docs", "operations.md")


class Layers:
    """The table of layers.txt."""

    def __init__(self, text):
        self.folders, self.may, self.libraries, self.system = {}, {}, [], []
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if not words:
                continue
            kind, words = words[0], words[1:]
            if kind == "system":
                self.system += words
                continue
            colon = words.index(":")
            if kind == "layer":
                self.folders[words[1]] = words[0]
                self.may[words[0]] = {words[0], *words[colon + 1:]}
            elif kind == "library":
                self.libraries.append((words[0], words[1:colon], set(words[colon + 1:])))
            else:
                raise ValueError(f"{LAYERS}: {line}")

    def layer_of(self, path):
        return self.folders.get(os.path.dirname(path))

    def refuses(self, layer, quoted, angled):
        """Why `layer` may not include this, or None."""
        if quoted:
            target = self.layer_of(quoted)
            if not target:
                return f'"{quoted}" lies in no layer (write the path from the top of the tree)'
            return None if target in self.may[layer] else f"{layer} may not include {target}: {quoted}"
        if not angled:
            return "computed #include"
        for name, headers, layers in self.libraries:
            if matches(angled, headers):
                return None if layer in layers else f"{layer} may not know {name}: <{angled}>"
        return None if matches(angled, self.system) else f"<{angled}> is not in {LAYERS}"


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def tree():
    """Files of the checkout that git knows or would add."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout.split("\n")
    return sorted(path for path in out if path and os.path.isfile(os.path.join(ROOT, path)))


def read(path):
    with open(os.path.join(ROOT, path), errors="replace") as file:
        return file.read()


def check_includes(path, text, layers):
    layer = layers.layer_of(path)
    if not layer:
        yield 1, f"lies in no layer of {LAYERS}"
        return
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            why = layers.refuses(layer, include[1], include[2])
            if why:
                yield number, why


def check_size(path, text):
    lines = text.count("\n")
    for folders, extension, most in SIZES:
        if path.split("/")[0] in folders and path.endswith(extension) and lines > most:
            yield lines, f"{lines} lines, at most {most}"


def check_columns(text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS:
            yield number, f"{len(line)} columns, at most {COLUMNS}"


def check_functions(text):
    """Formatted C: a function's head is unindented, and its end a lone brace."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("}"):
            if start and number - start > FUNCTION_LINES:
                yield start, f"function of {number - start} lines, at most {FUNCTION_LINES}"
            start = None
        elif re.match(r"\w", line):
            start = number if "(" in line and not line.endswith(";") else None


def check_calls(path, text):
    code = NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, allowed, message in CALLS:
            if path not in allowed and pattern.search(line):
                yield number, message


def check_tail_calls(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if path in CALLED_BY_C and TAIL_CALL.search(NOT_CODE.sub("''", line.split("--")[0])):
            yield number, "tail call in what C calls: write `return (f(…))`"


def check_log_lines(path, text):
    documented = read(LOG_LINES)
    for line in LOGGED.finditer(text):
        message = "".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', line[1]))
        if f"`{message}`" not in documented and f"`{message.split(':')[0]}`" not in documented:
            yield text.count("\n", 0, line.start()) + 1, f"log line that {LOG_LINES} has not: {message}"


def check_marks(text):
    for number, line in enumerate(text.splitlines(), 1):
        if MARKS.search(line):
            yield number, "debt mark: file an issue instead"


def problems(path, layers):
    text = read(path)
    ours = path.startswith(("runtime/", "state/"))
    c = path.endswith((".c", ".h", ".cpp"))
    if ours and c:
        yield from check_includes(path, text, layers)
        yield from check_calls(path, text)
        yield from check_functions(text)
        yield from check_log_lines(path, text)
    if c:
        yield from check_columns(text)
    yield from check_size(path, text)
    yield from check_tail_calls(path, text)
    if path.endswith(TEXT) or "." not in os.path.basename(path):
        yield from check_marks(text)


def main():
    layers = Layers(read(LAYERS))
    files, count = tree(), 0
    for path in files:
        for number, message in problems(path, layers):
            print(f"{path}:{number}: {message}")
            count += 1
    print(f"rules: {len(files)} files, {count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
