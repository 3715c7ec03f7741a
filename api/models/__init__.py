"""The documented form of everything that the API takes and gives.

Requests are validated by these models. Answers are encoded from the rows of `storage.reading`, and
tests hold every answer against its model; a field's description names its unit.
"""
