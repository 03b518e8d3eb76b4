"""Prediction of a case: check → plan → preprocess → network → combine → back to the input's grid."""
