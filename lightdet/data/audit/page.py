"""The audit as one self-contained HTML page, with small pictures of pairs, oddities and labels."""

from __future__ import annotations

import html
from pathlib import Path

from lightdet.data.audit.findings import KINDS, AuditReport, Finding
from lightdet.data.audit.gallery_page import STYLE, gallery, small_jpeg
from lightdet.data.audit.statistics import SIDE_LIMITS
from lightdet.data.faults import shown_below
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.wording import counted

MAX_LISTED = 500
"""Findings of one kind on the page; the JSON file has all."""
MAX_PICTURES = 12
"""Findings of one kind shown with their pictures."""
_WITH_PICTURES = ("leak", "leak-near", "duplicate", "duplicate-near", "colour", "flat", "exif", "elongated")
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; display: block; overflow-x: auto }
td, th { border: 1px solid var(--line); padding: .2rem .6rem; text-align: right }
td:first-child, th:first-child { text-align: left }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } summary small { opacity: .8 }
.error { color: #c5221f } .warning { color: #b26a00 } .note { color: #1967a8 }
li { overflow-wrap: anywhere } figure { display: inline-block; margin: .4rem .8rem .4rem 0; vertical-align: top }
figcaption { font-size: 12px; max-width: 22rem; overflow-wrap: anywhere } img { max-height: 160px; margin-right: 4px }
@media (prefers-color-scheme: dark) {
  .error { color: #ff8a80 } .warning { color: #ffca80 } .note { color: #8ecbff } }
"""


def audit_page(report: AuditReport, root: Path) -> str:
    """Return the page's HTML; nothing in it refers to another file or server."""
    counts = ", ".join(
        f'<b class="{severity}">{counted(report.count(severity), severity)}</b>'
        for severity in ("error", "warning", "note")
    )
    name = html.escape(report.name)
    sections = [_tables(report), "<h2>Findings</h2>", f"<p>Paths are below {html.escape(str(root))}.</p>"]
    depth = report.bit_depth
    sections += [_group(kind, severity, findings, root, depth) for kind, severity, findings in report.by_kind()]
    sections.append(gallery(report.gallery, report.classes, root, depth))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit of {name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{STYLE}</style></head><body>'
        f"<h1>Audit of {name}</h1><p>{counts}</p>{''.join(sections)}</body></html>\n"
    )


def _tables(report: AuditReport) -> str:
    splits = report.splits.items()
    if report.labels_pictures:
        counts = [["class", *report.splits]]
        counts += [[name, *(str(s.boxes[i]) for _, s in splits)] for i, name in enumerate(report.classes)]
        counts.append(["all", *(str(s.pictures) for _, s in splits)])
        return "<h2>Pictures by class</h2>" + _table(counts)
    overview = [["split", "pictures", "without boxes", "boxes"]]
    overview += [[n, str(s.pictures), str(s.background), str(int(s.boxes.sum()))] for n, s in splits]
    classes = [["class", *report.splits]]
    for index, name in enumerate(report.classes):
        classes.append([name, *(f"{s.boxes[index]} in {s.with_class[index]}" for _, s in splits)])
    limits = [f"below {SIDE_LIMITS[0]}", *(f"to {limit}" for limit in SIDE_LIMITS[1:]), f"above {SIDE_LIMITS[-1]}"]
    sides = [["split", *limits]]
    sides += [[n, *(f"{share:.1%}" for share in s.side_shares())] for n, s in splits]
    return (
        "<h2>Pictures</h2>"
        + _table(overview)
        + "<h2>Boxes by class, and pictures that hold it</h2>"
        + _table(classes)
        + f"<h2>Sides of the boxes in pixels at an input of {report.imgsz}</h2>"
        + _table(sides)
    )


def _table(rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows[1:])
    return f"<table><tr>{head}</tr>{body}</table>"


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
