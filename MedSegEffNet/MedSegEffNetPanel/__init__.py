"""The panel of MedSegEffNet in 3D Slicer. Heavy work is done by the command line in a background process."""
