"""Concox and Jimi: the binary protocol of GT06 and of the trackers that followed it."""
