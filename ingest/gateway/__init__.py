"""The gateway: trackers that speak no MQTT, from their sockets to the broker.

Belongs here: listening, limits, publishing, and answering when the broker has the message. Does not
belong here: what a format demands (devices/streams), what a message says, the database.
"""
