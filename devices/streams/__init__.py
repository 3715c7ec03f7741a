"""Conversations with trackers that speak no MQTT: bytes in, what is to be done out, no socket.

Belongs here: where a frame of a format begins and ends, which identity it names, and what its
sender wants to hear. Does not belong here: what a frame says (devices/formats), sockets, the
broker.
"""
