"""The audit as one self-contained HTML page, with small pictures of pairs, oddities and labels."""

from __future__ import annotations

import html
from pathlib import Path

from lightdet.data.audit.findings import KINDS, AuditReport, Finding
from lightdet.data.audit.gallery_page import STYLE, gallery, small_jpeg
from lightdet.data.audit.label_doubts_page import STYLE as DOUBTS_STYLE
from lightdet.data.audit.label_doubts_page import doubts_section
from lightdet.data.audit.tables import Table
from lightdet.data.faults import shown_below
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.wording import counted

MAX_LISTED = 500
"""Most findings per kind on the page; the JSON file has all."""
MAX_PICTURES = 12
"""Most findings per kind with pictures."""
_WITH_PICTURES = ("leak", "leak-near", "duplicate", "duplicate-near", "colour", "flat", "exif", "elongated")
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; display: block; overflow-x: auto }
td, th { border: 1px solid var(--line); padding: .2rem .6rem; text-align: right }
.words { text-align: left }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } summary small { opacity: .8 }
.error { color: #c5221f } .warning { color: #b26a00 } .note { color: #1967a8 }
li { overflow-wrap: anywhere } figure { display: inline-block; margin: .4rem .8rem .4rem 0; vertical-align: top }
figcaption { font-size: 12px; max-width: 22rem; overflow-wrap: anywhere } img { max-height: 160px; margin-right: 4px }
@media (prefers-color-scheme: dark) {
  .error { color: #ff8a80 } .warning { color: #ffca80 } .note { color: #8ecbff } }
"""


def audit_page(report: AuditReport, root: Path) -> str:
    """Return the page's HTML; it refers to no other file or server."""
    counts = ", ".join(
        f'<b class="{severity}">{counted(report.count(severity), severity)}</b>'
        for severity in ("error", "warning", "note")
    )
    name = html.escape(report.name)
    sections = [*map(_table, report.tables), "<h2>Findings</h2>", f"<p>Paths are below {html.escape(str(root))}.</p>"]
    depth = report.bit_depth
    sections += [_group(kind, severity, findings, root, depth) for kind, severity, findings in report.by_kind()]
    if report.doubts is not None:
        sections.append(doubts_section(report.doubts, report.classes, root, depth))
    sections.append(gallery(report.gallery, report.classes, root, depth))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit of {name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{STYLE}{DOUBTS_STYLE}</style></head><body>'
        f"<h1>Audit of {name}</h1><p>{counts}</p>{''.join(sections)}</body></html>\n"
    )


def _table(table: Table) -> str:
    def cells(row: tuple[str, ...], tag: str) -> str:
        sides = ("words" if index in table.words else "number" for index in range(len(row)))
        return "".join(
            f'<{tag} class="{side}">{html.escape(cell)}</{tag}>' for side, cell in zip(sides, row, strict=True)
        )

    rows = [cells(table.head, "th"), *(cells(row, "td") for row in table.rows)]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<h2>{html.escape(table.title.capitalize())}</h2><table>{body}</table>"


def _group(kind: str, severity: str, findings: list[Finding], root: Path, bit_depth: int) -> str:
    title, advice = html.escape(KINDS[kind].title), html.escape(KINDS[kind].advice)
    figures = [_figure(f, root, bit_depth) for f in findings[:MAX_PICTURES]] if kind in _WITH_PICTURES else []
    listed = [
        f"<li>{html.escape(shown_below(f.place(), root))}: {html.escape(f.message)}</li>"
        for f in findings[len(figures) : MAX_LISTED]
    ]
    if len(findings) > MAX_LISTED:
        listed.append(f"<li>and {len(findings) - MAX_LISTED} more, all in the JSON file</li>")
    opened = " open" if severity == "error" or figures else ""
    return (
        f'<details{opened}><summary><b class="{severity}">{severity}</b> <b>{title}</b> ({len(findings)})'
        f" <small>{advice}</small></summary>{''.join(figures)}<ul>{''.join(listed)}</ul></details>"
    )


def _figure(finding: Finding, root: Path, bit_depth: int) -> str:
    pictures = "".join(_picture(path, bit_depth) for path in (finding.path, finding.other) if path is not None)
    place = html.escape(shown_below(finding.place(), root))
    return f"<figure>{pictures}<figcaption>{place}: {html.escape(finding.message)}</figcaption></figure>"


def _picture(path: Path, bit_depth: int) -> str:
    try:
        return small_jpeg(read_image(path, bit_depth=bit_depth), path.name)
    except UserError:
        return ""
