"""What a second terminal needs to know of a running demo: a file of variables for the shell.

With it, `hanhtrinh` works on the demo's servers, and the examples of the documents run as they
stand there.
"""

import shlex
import sys
from pathlib import Path

from hanhtrinh.demo_services import Parts, Servers
from hanhtrinh.embedded.folder import write_private
from hanhtrinh.wiring import embedded_environment

FILE = "demo.env"


def write_variables(servers: Servers, parts: Parts, key: str) -> Path:
    """Write the file into the data folder, readable by this user only. Returns where it is."""
    nats = servers.nats
    variables = {
        "API": parts.address.removesuffix("/api/v1"),
        "TOKEN": key,
        "MQTT_HOST": nats.host,
        "MQTT_PORT": str(nats.mqtt_port),
        "MQTT_USER": nats.device.username,
        "MQTT_PASSWORD": nats.device.password,
        **embedded_environment(servers.dsn, nats),
    }
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    programs = shlex.quote(str(Path(sys.executable).parent))
    file = servers.folder.path / FILE
    write_private(file, "".join([*lines, f'export PATH={programs}:"$PATH"\n']))
    return file
