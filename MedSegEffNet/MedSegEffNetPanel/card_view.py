"""A model's card as HTML for a text browser: a head block from the metadata, and the card's Markdown below it.

Cards come with imported models and are not trusted: their text is escaped, and only web links become links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from slicer.i18n import tr as _

from MedSegEffNetPanel.model_list import SHIPPED, ModelEntry

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"(?:[-*+]|(\d+)[.)])\s+(.*)")
_RULER = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")  # the line between a table's head and its rows
_INLINE = re.compile(  # lengths are bounded, so that no text takes long
    r"`(?P<code>[^`]{1,300})`|\*\*(?P<bold>[^*]{1,300})\*\*"
    r"|\[(?P<text>[^\]]{1,300})\]\((?P<url>https?://[^\s)]{1,500})\)"
    r"|(?P<bare>https?://[^\s<>)]{0,500}[^\s<>).,;:])"
)
_MAX_CARD = 100_000  # characters that are shown


def card_html(entry: ModelEntry) -> str:
    """What the model is, takes, marks and costs, what may be done with it, and its card; for a broken one, why."""
    if entry.bundle is None:
        rows = [(_("Cannot be used"), escape(entry.problem)), (_("Folder"), escape(str(entry.folder)))]
        return f"<h3>{escape(entry.name)}</h3>{_table(rows)}"
    return f"{_head(entry)}{markdown_html(_without_title(entry.bundle.card[:_MAX_CARD]))}"


def markdown_html(text: str) -> str:
    """Headings, paragraphs, lists, tables, bold, code and web links of Markdown; everything else as it is written."""
    return "".join(_blocks(text.splitlines()))


def _head(entry: ModelEntry) -> str:
    where = _("came with MedSegEffNet") if entry.where == SHIPPED else _("your own")
    rows = [
        (_("Channels"), escape(entry.channels)),
        (_("Labels"), _swatches(entry)),
        (_("Licence"), escape(entry.licence)),
        (_("Measured"), escape(entry.time_text) or _("not measured yet")),
        (_("Version"), f"{escape(entry.version)} ({where}, {entry.megabytes:.1f} MB)"),
    ]
    return (
        f"<h3>{escape(entry.name)}</h3><p>{escape(entry.description)}</p>"
        f"<p><b>{_('Research only. Not for clinical use.')}</b></p>{_table(rows)}"
    )


def _swatches(entry: ModelEntry) -> str:
    labels = entry.bundle.labels if entry.bundle else ()
    squares = (
        f'<font color="#{bytes(label.color).hex()}">&#9632;</font>&nbsp;{escape(label.name)}' for label in labels
    )
    return ", ".join(squares)


def _table(rows: list[tuple[str, str]]) -> str:
    lines = [f"<tr><td><b>{escape(title)}</b>&nbsp;&nbsp;</td><td>{content}</td></tr>" for title, content in rows]
    return f'<table cellpadding="2">{"".join(lines)}</table>'


def _without_title(card: str) -> str:
    """The card without its title, which the head block shows."""
    return card.partition("\n")[2] if card.startswith("# ") else card


def _blocks(lines: list[str]) -> Iterator[str]:
    """The blocks of the text one after the other; each takes its lines from the front of ``lines``."""
    lines = [line.strip() for line in lines]
    while lines:
        heading = _HEADING.fullmatch(lines[0])
        if not lines[0]:
            lines.pop(0)
        elif heading:
            level = min(6, len(heading[1]) + 2)  # the panel's own headings are larger
            yield f"<h{level}>{_inline(heading[2])}</h{level}>"
            lines.pop(0)
        elif _ITEM.fullmatch(lines[0]):
            yield _list(lines)
        elif len(lines) > 1 and "|" in lines[0] and "|" in lines[1] and _RULER.fullmatch(lines[1]):
            yield _grid(lines)
        else:
            yield _paragraph(lines)


def _list(lines: list[str]) -> str:
    kind, items = ("ol" if lines[0][0].isdigit() else "ul"), []
    while lines and lines[0] and not _HEADING.fullmatch(lines[0]):
        item = _ITEM.fullmatch(lines[0])
        if item:
            items.append(item[2])
        else:
            items[-1] += f" {lines[0]}"
        lines.pop(0)
    return f"<{kind}>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + f"</{kind}>"


def _grid(lines: list[str]) -> str:
    rows = [_row(lines.pop(0), "th")]
    lines.pop(0)
    while lines and "|" in lines[0]:
        rows.append(_row(lines.pop(0), "td"))
    return f'<table border="1" cellspacing="0" cellpadding="3">{"".join(rows)}</table>'


def _row(line: str, cell: str) -> str:
    texts = line.strip("|").split("|")
    return "<tr>" + "".join(f"<{cell}>{_inline(text.strip())}</{cell}>" for text in texts) + "</tr>"


def _paragraph(lines: list[str]) -> str:
    taken = [lines.pop(0)]
    while lines and lines[0] and not _HEADING.fullmatch(lines[0]) and not _ITEM.fullmatch(lines[0]):
        taken.append(lines.pop(0))
    return f"<p>{_inline(' '.join(taken))}</p>"


def _inline(text: str) -> str:
    done, html = 0, ""
    for found in _INLINE.finditer(text):
        html += escape(text[done : found.start()]) + _span(found)
        done = found.end()
    return html + escape(text[done:])


def _span(found: re.Match[str]) -> str:
    if found["code"]:
        return f"<code>{escape(found['code'])}</code>"
    if found["bold"]:
        return f"<b>{escape(found['bold'])}</b>"
    url = found["url"] or found["bare"]
    return f'<a href="{escape(url)}">{escape(found["text"] or url)}</a>'
