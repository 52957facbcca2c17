"""Measure how right the measurements are."""
