"""Installing the heavy packages into a folder of their own; everything here but ``process`` needs no Qt and no Slicer."""
