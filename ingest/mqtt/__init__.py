"""The worker's sessions with MQTT 3.1.1 and 5 brokers, one or several.

Belongs here: a source of batches that are acknowledged after the commit, its sockets and its
packets. Does not belong here: publishing (the package mqtt).
"""
