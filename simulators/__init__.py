"""Simulators: fleets, weigh stations and load generators, and the truth about what they did.

Belongs here: seeded motion along roads, planned violations with their ground truth, dirty feeds,
and publishers that send all of it over MQTT. Does not belong here: the database, or any judgement
(what is planned is known because it was planned, not because a rule found it).
"""
