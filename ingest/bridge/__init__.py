"""The bridge: from RabbitMQ queues of the Vietnamese feed to topics of the MQTT broker.

Belongs here: taking AMQP deliveries, saying which provider each is from, publishing its body
unchanged, acknowledging it after the MQTT broker has. Does not belong here: reading the body
(devices/formats/ufms), and everything that happens to a message once the MQTT broker has it.
"""
