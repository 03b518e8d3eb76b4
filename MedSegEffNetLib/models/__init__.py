"""Models: bundles on disk, and the registry that finds them. Reading their metadata needs neither torch nor monai."""
