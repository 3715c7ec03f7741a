"""Judging files with no server: readers, one for each kind of file; the judging; the writers."""
