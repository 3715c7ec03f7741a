"""One module, or one package, for each family of wire formats; devices/catalogue.py lists them.

Belongs here: what is true of one format. What several formats share stands one floor up, in
`devices`; formats do not import one another.
"""
