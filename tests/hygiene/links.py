#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the links of the documentation: links.py [FOLDER_OF_THE_SITE]

Relative links of the Markdown files lead to files of the project, and to headings that are there, as
GitHub names them. In the site (scripts/docs), every href and src leads to a file and an anchor of it,
and nothing is loaded from elsewhere.
"""
import html.parser
import pathlib
import re
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Doxygen links the nested classes of a class also where all of them are private.
NOT_OURS = {"nested-classes"}
ELSEWHERE = ("http:", "https:", "mailto:", "javascript:", "data:")


def markdown_files():
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def prose(file):
    """The text without its code, which may hold brackets of its own."""
    text = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def headings(file):
    titles = re.findall(r"^#+ +(.*)$", prose(file), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def markdown():
    found = []
    for file in markdown_files():
        for link in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"(?<!\[)`[^`\n]*`", "", prose(file))):
            if link.startswith(ELSEWHERE):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.exists():
                found.append(f"{file.relative_to(ROOT)}: {link} is not there")
            elif anchor and anchor not in headings(target):
                found.append(f"{file.relative_to(ROOT)}: {link} names no heading")
    return found


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page, and what it loads."""

    def __init__(self, file):
        super().__init__()
        self.links, self.anchors, self.loads = set(), set(), set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        found = {values[name] for name in ("href", "src") if name in values}
        self.links |= found
        if tag != "a":
            self.loads |= found


def site(folder):
    pages = {file: Page(file) for file in sorted(folder.rglob("*.html"))}
    if not pages:
        return [f"{folder} has no pages"]
    found = []
    for file, page in pages.items():
        for link in sorted(page.links):
            if link.startswith(ELSEWHERE):
                if link in page.loads and link.startswith("http"):
                    found.append(f"{file.name}: loads {link}")
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / urllib.parse.unquote(path)).resolve() if path else file
            anchor = urllib.parse.unquote(anchor)
            if not target.exists():
                found.append(f"{file.name}: {link} is not there")
            elif anchor and target in pages and anchor not in pages[target].anchors | NOT_OURS:
                found.append(f"{file.name}: {link} names no anchor")
    for source in (ROOT / "docs").rglob("*.md"):
        if not (folder / f"{source.stem}.html").exists():
            found.append(f"docs/{source.name} has no page in the site")
        elif f"\\subpage {source.stem} " not in (ROOT / "docs/reference.dox").read_text():
            found.append(f"docs/{source.name} is not in the sidebar: add it to docs/reference.dox")
    return found


def main():
    found = markdown() + (site(pathlib.Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else [])
    print("\n".join(found) or "links: good")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
