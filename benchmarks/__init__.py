"""Measurements that print a table. Never part of the tests."""
