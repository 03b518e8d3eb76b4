"""The parts of the section Data set."""
