"""Parts of the section Synthesize, one file each."""
