"""The rules: one module per family, each a kernel over a vehicle's clean fixes in time order.

Belongs here: what turns fixes into intervals. Where fixes lie is decided before (`locate`), which
fixes are clean too (`quality`); putting the rules together is `judge`.
"""
