"""A hook of MkDocs: bring the files of the repository that pages link to into the site, under `repository/`.

Pages link as GitHub reads them: `../benchmark/results/demo.md`. A file that is linked to is copied, or
rendered where it is Markdown; a folder becomes its name.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(!?\[(?:[^\]\[]|\[[^\]]*\])*\])\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add every file that a page links to, and those that these link to."""
    pages = list(files.documentation_pages())
    while pages:
        page = pages.pop()
        for _, link in LINK.findall(Path(page.abs_src_path).read_text()):
            place = _place(page.src_uri, link)
            uri = place and _uri(place)
            if uri and (ROOT / place).is_file() and not files.get_file_from_path(uri):
                added = File.generated(config, uri, abs_src_path=str(ROOT / place))
                files.append(added)
                pages += [added] if place.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links to files of the repository to where they are in the site."""
    here = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        label, link = match.groups()
        place = _place(here, link)
        if not place or (ROOT / place).is_dir():
            return label[1:-1] if place else match[0]
        anchor = "#" + link.partition("#")[2] if "#" in link else ""
        return f"{label}({posixpath.relpath(_uri(place), PurePosixPath(here).parent)}{anchor})"

    return LINK.sub(turned, markdown)


def _place(page: str, link: str) -> str:
    """Return the place in the repository that a link of a page points to; "" where it points elsewhere."""
    path = link.partition("#")[0]
    if not path or ":" in path:
        return ""
    source = page.removeprefix("repository/") if page.startswith("repository/") else f"docs/{page}"
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    return place if (ROOT / place).exists() and os.path.relpath(ROOT / place, ROOT)[:2] != ".." else ""


def _uri(place: str) -> str:
    """Return the uri in the site of a place in the repository."""
    return place.removeprefix("docs/") if place.startswith("docs/") else f"repository/{place}"
