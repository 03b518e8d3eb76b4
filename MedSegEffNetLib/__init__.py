"""MedSegEffNet: medical image segmentation with EfficientNets, from images to a corrected, retrained model.

Nothing is imported here, so that ``import MedSegEffNetLib`` costs nothing; take what you need from the modules.
"""

__version__ = "0.1.0"
