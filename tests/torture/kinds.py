"""The kinds of pipelines that are tortured, each a script in pipelines/, and what comes out of them."""
from dataclasses import dataclass, field

import oracle
from oracle import Sessions, Windows
from sinks import FOLDER, LINES

COLUMNS, LAYOUT, FILL = "columns", "layout", "fill"   # new ones; another state of the script's own; filled ones
SMALL = ("memory=1 MiB",)   # of which state soon is more


@dataclass(frozen=True)
class Kind:
    script: str
    topics: tuple            # ends of their names
    windows: object = None   # Windows or Sessions
    row: object = None       # of a window that closes: the oracle's function
    files: dict = field(default_factory=dict)   # ends of names of sinks that are no topics: how they lie
    settings: tuple = ()
    refuses: bool = False    # the topic of the copy takes no large records
    changes: tuple = ()      # what another text may bring beside logic: of the three below

    @property
    def is_locked(self):
        """A file keeps others out, also while its process stands still."""
        return bool(self.files)


KINDS = {
    "copy": Kind("copy", ("copy", "quarantine"), refuses=True),
    "update": Kind("update", ("copy", "out", "late", "quarantine"), Windows(20_000, 10_000),
                   changes=(COLUMNS, LAYOUT, FILL)),
    "append": Kind("append", ("closed", "late", "quarantine"), Windows(6_000, 3_000), oracle.append_row,
                   changes=(COLUMNS, LAYOUT, FILL)),
    "sessions": Kind("sessions", ("sessions", "distinct", "late", "quarantine"), Sessions(500),
                     settings=SMALL),
    "parts": Kind("parts", ("closed", "late", "quarantine"), Windows(12_000, 6_000, is_wide=True),
                  oracle.parts_row, settings=SMALL, changes=(COLUMNS,)),
    "cached": Kind("cached", ("copy", "out", "late", "quarantine"), Windows(12_000, 6_000, is_wide=True),
                   settings=SMALL, changes=(COLUMNS, LAYOUT)),
    "files": Kind("files", (), Windows(20_000, 10_000), oracle.append_row,
                  files={"copy": FOLDER, "out": FOLDER, "closed": LINES, "late": LINES, "quarantine": LINES},
                  changes=(COLUMNS, LAYOUT, FILL)),
    "mixed": Kind("mixed", ("copy", "out"), Windows(20_000, 10_000), oracle.append_row,
                  files={"closed": LINES, "late": LINES, "quarantine": FOLDER},
                  changes=(COLUMNS, LAYOUT, FILL)),
}
MAIN = ("copy", "update", "append")
