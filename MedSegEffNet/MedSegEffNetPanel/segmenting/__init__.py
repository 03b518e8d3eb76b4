"""Parts of the section Segment, one file each."""
