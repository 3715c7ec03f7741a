"""Bulk import: tables that people keep (CSV, XLSX), as rows of the registry.

Belongs here: reading a table so that every cell knows its place, saying everything that is wrong
with it by row and column, and writing it as a whole or not at all. What a single row may say is
the business of `storage.registry`.
"""
