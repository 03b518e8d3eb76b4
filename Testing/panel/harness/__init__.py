"""The panel without Slicer: PySide6 behaving as PythonQt over the real MRML of slicer-core."""
