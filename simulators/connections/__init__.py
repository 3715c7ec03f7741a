"""Many real MQTT connections: every tracker of a simulated fleet on a socket of its own.

Belongs here: holding tens of thousands of connections from one machine, and what that takes of it
(open files, source addresses, processes). Does not belong here: what is sent (feed.py).
"""
