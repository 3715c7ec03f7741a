"""Teltonika: AVL packets, and the messages of its MQTT firmware."""
