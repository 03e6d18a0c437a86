"""Tests of the pure domain, one file a module."""
