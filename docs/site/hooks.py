"""What docs/*.md say for the tests and for readers of the repository, said for the site."""
import os
import re

from mkdocs.structure.files import File

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FENCE = re.compile(r"^```(\w+) ([^\n`]+)$", re.M)
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)\)")


def on_files(files, config):
    """Leave this folder out; bring in the scripts that pages link to."""
    for file in list(files):
        if file.src_uri.startswith("site/"):
            files.remove(file)
    for name in sorted(os.listdir(os.path.join(ROOT, "scripts"))):
        if name.endswith(".lua"):
            files.append(File(f"scripts/{name}", ROOT, config["site_dir"], False))
    return files


def outside(match):
    """A link to a script stays one; other files of the repository are named only."""
    return f"[{match[1]}]({match[2]})" if match[2].startswith("scripts/") else f"{match[1]} (`{match[2]}`)"


def on_page_markdown(markdown, **_):
    """Fences carry what the tests need (```lua NAME, ```lua refused); the site shows a title."""
    markdown = FENCE.sub(lambda m: f"```{m[1]}" if m[2] in ("refused", "spec") else f'```{m[1]} title="{m[2]}"', markdown)
    return OUTSIDE.sub(outside, markdown)
