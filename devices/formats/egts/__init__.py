"""EGTS: the packets of GOST R 54619 and GOST R 33472."""
