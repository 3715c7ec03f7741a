"""The HTTP API: who asks, what they may ask, and in what form the answer goes out.

Belongs here: FastAPI resources, their models, authentication, problem details. The queries stand in
`storage/reading/`; what a caller may see is decided by the database.
"""
