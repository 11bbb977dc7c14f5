"""Where pictures, latents and unfinished training live: outside the repository.

The folder is `$VITRINE_CACHE/diffusion`, else `$XDG_CACHE_HOME/vitrine/diffusion`, else
`~/.cache/vitrine/diffusion`. Files appear whole or not at all: each is written under a temporary
name beside its place and then renamed, so that a run stopped at any moment leaves the last good
file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_directory() -> Path:
    """Returns the folder of this concept's cached files, made if it is missing."""
    chosen = os.environ.get("VITRINE_CACHE")
    if chosen:
        root = Path(chosen)
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrine"
    folder = root / "diffusion"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lends a temporary path whose file replaces `path` once the block ends without an error.

    Args:
        path: The file to create or replace.

    Yields:
        A path in the same folder with the same suffix (some writers choose a format by it).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
