"""Every relative link and anchor of the documentation resolves, and every picture is there."""

import re
import subprocess

import pytest
from docs_pages import BLOCK, GUIDES, RECORDS, ROOT, name_of

LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


def links(page):
    return LINK.findall(BLOCK.sub("", page.read_text()))


def anchors(page):
    """Return the anchors of headings, as GitHub and MkDocs make them."""
    words = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found) for found in HEADING.findall(prose(page))]
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", found.replace("`", "").lower())) for found in words}


def prose(page):
    return BLOCK.sub("", page.read_text())


@pytest.mark.parametrize("page", [*GUIDES, *RECORDS], ids=name_of)
def test_links_and_anchors_resolve(page):
    for link in links(page):
        if ":" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [*GUIDES, *RECORDS], ids=name_of)
def test_links_elsewhere_are_addresses(page):
    for link in links(page):
        assert ":" not in link or re.fullmatch(r"https://[\w.-]+\.\w+(/[^\s]*)?", link), link


def test_links_are_found():
    guides = {name_of(page): page for page in GUIDES}
    assert "docs/report.png" in links(guides["README.md"])
    assert "what-is-tested-and-what-is-not" in anchors(guides["training/README.md"])


def test_what_is_linked_to_is_in_the_repository():
    listed = subprocess.run(
        ["git", "check-ignore", "--stdin"],
        input="\n".join({str((page.parent / link.partition("#")[0]).resolve()) for page in GUIDES
                         for link in links(page) if ":" not in link and link[0] != "#"}),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert listed.stdout == ""
