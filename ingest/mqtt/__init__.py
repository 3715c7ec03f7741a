"""The worker's session with any MQTT 3.1.1 or 5 broker.

Belongs here: a source of batches that are acknowledged after the commit, its socket and its
packets. Does not belong here: publishing (the package mqtt).
"""
