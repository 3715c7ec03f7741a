"""Clients of the MQTT broker that whoever publishes shares: one connection, and what became of it.

Belongs here: paho-mqtt on the event loop, QoS 1 with the broker's word about every message. Does
not belong here: topics and payloads, reconnecting, the worker's session (ingest/mqtt), and
packets for very many connections (devices/mqtt_packets.py).
"""
