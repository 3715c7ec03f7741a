"""Reviews of violations: what people may do (pure), what is kept of it, and their files.

Belongs here: the steps of docs/reviews.md. Does not belong here: what a violation is, and what late
data makes of one (`storage.violations`).
"""
