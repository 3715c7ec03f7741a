"""The feed of Vietnamese providers to the state (QCVN 31): protobuf messages."""
