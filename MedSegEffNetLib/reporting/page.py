"""A self-contained HTML page: shell, style, tables, figures. All functions take plain text and escape it themselves,
except for ``parts``, which are HTML made by these functions."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from MedSegEffNetLib.task import Color

NOT_CLINICAL = (
    "For research only. Not for clinical use: not a medical device, and no basis for a diagnosis or treatment."
)

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2530; --soft: #5b6776; --paper: #fff; --panel: #f4f6f8; --line: #d9dfe5;
  --accent: #0b6e8a; --warn-ink: #6b3d00; --warn: #fff4dc; --warn-line: #e0a030; --good-ink: #14532d;
  --good: #e7f5ec; --good-line: #2e9e5b; --bad-ink: #7a1420; --bad: #fdeaec; --bad-line: #c9303e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --paper: #14181d; --panel: #1d232a;
  --line: #36404a; --accent: #58b8d3; --warn-ink: #ffdf9e; --warn: #3a2c10; --warn-line: #b98a2c;
  --good-ink: #b5ecc8; --good: #12301d; --good-line: #3fae6c; --bad-ink: #ffc4ca; --bad: #3d1519;
  --bad-line: #d9515d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 2rem 1.5rem 3rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .4rem; }
p, ul { margin: .5rem 0; max-width: 48rem; }
.subtitle, figcaption, .note { color: var(--soft); }
.note { font-size: .88rem; }
.clinical { font-weight: 600; margin: .6rem 0 0; }
.badge { border-left: 5px solid; border-radius: 4px; padding: .7rem 1rem; margin: 1.2rem 0; }
.badge strong { display: block; font-size: 1.08rem; }
.badge ul, .warnings ul { margin: .2rem 0; padding-left: 1.2rem; max-width: none; }
.badge.ok { background: var(--good); border-color: var(--good-line); color: var(--good-ink); }
.badge.doubtful { background: var(--bad); border-color: var(--bad-line); color: var(--bad-ink); }
.warnings { background: var(--warn); color: var(--warn-ink); border-left: 5px solid var(--warn-line);
  border-radius: 4px; padding: .7rem 1rem; margin: 1.2rem 0; }
.warnings strong { display: block; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .32rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; background: var(--panel); }
th:first-child, td:first-child, .text { text-align: left; }
.facts td { white-space: normal; text-align: left; overflow-wrap: anywhere; }
.facts th { text-align: left; vertical-align: top; }
.wide { overflow-x: auto; }
.swatch { display: inline-block; width: .95em; height: .95em; border-radius: 3px; margin-right: .55em;
  vertical-align: -.1em; border: 1px solid rgba(128,128,128,.6); print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.figures { display: grid; gap: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)); }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; border-radius: 4px; }
figcaption { font-size: .86rem; margin-top: .3rem; }
.legend > span { margin-right: 1.4rem; white-space: nowrap; }
svg { max-width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
svg .soft { fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
svg .bar { fill: var(--accent); }
svg .rule { stroke: var(--line); }
svg .middle { stroke: var(--ink); stroke-dasharray: 4 3; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--accent); }
code { font-family: ui-monospace, Consolas, Menlo, monospace; font-size: .9em; }
.card { background: var(--panel); border-radius: 6px; padding: .4rem 1.2rem .8rem; }
.card pre { overflow-x: auto; font-size: .85rem; }
footer { margin-top: 3rem; padding-top: .8rem; border-top: 1px solid var(--line); }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --panel: #f4f4f4; --line: #bbb; --accent: #0b6e8a;
  --warn: #fff; --warn-ink: #000; --good: #fff; --good-ink: #000; --bad: #fff; --bad-ink: #000; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; } tr, .warnings, .badge { break-inside: avoid; } .wide { overflow: visible; } }
"""


def document(title: str, subtitle: str, parts: Iterable[str], warnings: Sequence[str] = (), badge: str = "") -> str:
    """The whole page, with ``badge`` at its top. It loads nothing, runs nothing, and suits any screen and paper."""
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    header = (
        f'<header><h1>{escape(title)}</h1><p class="subtitle">{escape(subtitle)}</p>'
        f'<p class="clinical">{NOT_CLINICAL}</p></header>\n{badge}'
    )
    if warnings:
        items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
        header += f'<aside class="warnings" role="note"><strong>Please note</strong><ul>{items}</ul></aside>\n'
    footer = f'<footer class="note">Made by MedSegEffNet. {NOT_CLINICAL}</footer>\n</main>\n</body>\n</html>\n'
    return head + header + "\n".join(part for part in parts if part) + footer


def badge(kind: str, verdict: str, sentences: Sequence[str]) -> str:
    """A verdict that leaps to the eye, with its reasons; ``kind`` is ``ok`` or ``doubtful``."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    reasons = f"<ul>{items}</ul>" if items else ""
    return f'<aside class="badge {kind}" role="note"><strong>{escape(verdict)}</strong>{reasons}</aside>\n'


def section(heading: str, *parts: str) -> str:
    """A section with its heading; empty if all ``parts`` are."""
    content = "\n".join(part for part in parts if part)
    return f"<section><h2>{escape(heading)}</h2>\n{content}\n</section>" if content else ""


def heading(text: str) -> str:
    """A heading within a section."""
    return f"<h3>{escape(text)}</h3>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, with the style's class ``kind``, e.g. ``note``."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], colors: Sequence[Color | None] = ()) -> str:
    """A table; the first column is text, the others numbers. ``colors`` puts a swatch before a row's first cell."""
    lines = ["<tr>" + "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header) + "</tr>"]
    for place, row in enumerate(rows):
        cells = [escape(cell) for cell in row]
        color = colors[place] if colors else None
        if color is not None:
            cells[0] = swatch(color) + cells[0]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def facts(values: Mapping[str, Any]) -> str:
    """Names and values as a two-column table; empty if there are none."""
    if not values:
        return ""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{escape(_plain(value))}</td></tr>'
        for name, value in values.items()
    )
    return f'<div class="wide"><table class="facts">\n{rows}\n</table></div>'


def figure(png: bytes, alt: str, caption: str) -> str:
    """A picture inside the page with its alternative text and caption."""
    data = base64.b64encode(png).decode("ascii")
    picture = f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def figures(items: Iterable[str], least_width: str) -> str:
    """Figures side by side, as many in a row as fit with ``least_width`` (a CSS length) each."""
    return f'<div class="figures" style="--least: {least_width}">\n' + "\n".join(items) + "\n</div>"


def legend(names: Mapping[str, Color]) -> str:
    """Names with their colors in a line."""
    return (
        '<p class="legend">' + "".join(f"<span>{swatch(c)}{escape(name)}</span> " for name, c in names.items()) + "</p>"
    )


def swatch(color: Color) -> str:
    """A small square in a color."""
    return f'<span class="swatch" style="background: rgb({color[0]},{color[1]},{color[2]})"></span>'


def details(summary: str, *parts: str, is_open: bool = False) -> str:
    """Parts that can be folded away."""
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(summary)}</summary>\n"
        + "\n".join(parts)
        + "\n</details>"
    )


def markdown(text: str) -> str:
    """Simple Markdown (headings, paragraphs, lists, tables as they stand, bold, code; links as text) as HTML."""
    blocks = []
    for block in re.split(r"\n\s*\n", re.sub(r"(?m)^(#+ .*)$", r"\n\1\n", text.strip())):
        lines = block.strip().splitlines()
        if not lines:
            continue
        if lines[0].startswith("#"):
            blocks.append(f"<h3>{_inline(lines[0].lstrip('# '))}</h3>")
        elif lines[0].startswith("|"):
            blocks.append(_markdown_table(lines))
        elif re.match(r"[-*] ", lines[0]):
            items = re.split(r"(?m)^[-*] ", block.strip())[1:]
            blocks.append("<ul>" + "".join(f"<li>{_inline(' '.join(item.split()))}</li>" for item in items) + "</ul>")
        else:
            blocks.append(f"<p>{_inline(' '.join(lines))}</p>")
    return '<div class="card">' + "\n".join(blocks) + "</div>" if blocks else ""


def number(value: float, digits: int = 3) -> str:
    """A number with fixed digits; a dash where it is undefined (NaN)."""
    return "–" if value != value else f"{value:.{digits}f}"


def _markdown_table(lines: Sequence[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return table(rows[0], rows[1:])


def _inline(text: str) -> str:
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"\1 (\2)", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escape(text, quote=False))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(part) for part in value)
    return str(value)
