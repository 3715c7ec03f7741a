"""A second program for the same rules, written from docs/rules.md alone: slow, plain, obvious.

It looks at all fixes of one vehicle at once, again and again, and knows nothing of batches, states
or kernels. Tests compare the judge with it. It shares only plain data with the product: the
registry's dataclasses, the profiles, Interval.
"""
