"""What the section Compare is made of."""
