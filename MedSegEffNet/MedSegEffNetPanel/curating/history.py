"""What is known of a case, as HTML: labels, conflicts, history."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import CaseRecord, LabelVersion
from MedSegEffNetPanel.curating.rows import escaped, origin_text, state_text, time_text


def history_html(record: CaseRecord) -> str:
    """Everything in a case's record that a person reads; texts of the record are escaped."""
    head = _("patient {patient}").format(patient=escaped(record.patient))
    site = _(", site {site}").format(site=escaped(record.site)) if record.site else ""
    images = ", ".join(
        f"{escaped(name)}{_(' (synthesised)') if image.synthesised else ''}" for name, image in record.images.items()
    )
    parts = [
        f"<b>{escaped(record.id)}</b>: {state_text(record.state)}, {head}{site}",
        _("Images: {images}").format(images=images),
        _("Comment: {comment}").format(comment=escaped(record.comment)) if record.comment else "",
        _("Minutes: {minutes:.0f}").format(minutes=record.minutes) if record.minutes else "",
        *(
            f"<b>⚠ {_('Version {one} was saved beside version {other}: choose one.')}</b>".format(
                one=conflict.version, other=conflict.current
            )
            for conflict in record.conflicts
        ),
    ]
    labels = "".join(_label(label, label.number == record.current) for label in reversed(record.labels))
    changes = "".join(
        f"<li>{time_text(change.time)} {escaped(change.author)}: {escaped(change.text)}</li>"
        for change in reversed(record.history)
    )
    sections = [
        "<br>".join(filter(None, parts)),
        f"<p><b>{_('Labels')}</b></p><ul>{labels}</ul>" if labels else f"<p>{_('No label yet.')}</p>",
        f"<p><b>{_('History')}</b></p><ul>{changes}</ul>",
    ]
    return "".join(sections)


def _label(label: LabelVersion, current: bool) -> str:
    words = [
        _("version {number}").format(number=label.number),
        escaped(origin_text(label.origin, label.model)),
        escaped(label.author),
        time_text(label.time),
        _("from version {base}").format(base=label.base) if label.base else "",
        _("{minutes:g} min").format(minutes=label.minutes) if label.minutes else "",
        ", ".join(f"{escaped(name)} {volume:.1f} mL" for name, volume in label.volumes_ml.items()),
        _("in the trash") if label.pruned else "",
        escaped(label.comment),
    ]
    text = ", ".join(filter(None, words))
    return f"<li><b>{text}</b></li>" if current else f"<li>{text}</li>"
