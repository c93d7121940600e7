"""Ready commands and code to connect a device, with its own ids and addresses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from .bodies import ConnectOut, TemplateOut

# Stands where the secret goes; the answer that makes a credential fills it in, that once.
PLACEHOLDER = "YOUR-SECRET"


@dataclass(frozen=True, slots=True)
class Doors:
    """Where devices reach the platform."""

    public_url: str
    mqtt_port: int
    mqtt_tls_port: int

    @property
    def host(self) -> str:
        """Give the host name."""
        return urlsplit(self.public_url).hostname or "localhost"


def connect(
    doors: Doors, device_id: UUID, *, user_name: str | None = None, secret: str = PLACEHOLDER
) -> ConnectOut:
    """Fill every template for one device."""
    user = user_name or str(device_id)
    up = f"{doors.public_url}/ingest/v1/up"
    makers = (
        ("mosquitto", "mosquitto_pub", "shell", _mosquitto),
        ("mosquitto-tls", "mosquitto_pub over TLS", "shell", _mosquitto_tls),
        ("mosquitto-sub", "Receive commands", "shell", _mosquitto_sub),
        ("curl", "curl", "shell", _curl),
        ("curl-commands", "Receive commands by HTTP", "shell", _curl_commands),
        ("python", "Python", "python", _python),
        ("arduino", "Arduino", "cpp", _arduino),
        ("esphome", "ESPHome", "yaml", _esphome),
        ("tasmota", "Tasmota", "text", _tasmota),
        ("node-red", "Node-RED", "json", _node_red),
        ("chirpstack", "ChirpStack", "text", _chirpstack),
    )
    return ConnectOut(
        host=doors.host,
        http_url=up,
        mqtt_port=doors.mqtt_port,
        mqtt_tls_port=doors.mqtt_tls_port,
        user_name=user,
        topics={
            "up": "v1/up",
            "upChannel": "v1/up/{channel}",
            "operations": "v1/op/+",
            "result": "v1/op/{id}/result",
            "absoluteUp": f"v1/devices/{device_id}/up",
        },
        templates=[
            TemplateOut(id=id_, title=title, language=language, text=make(doors, up, user, secret))
            for id_, title, language, make in makers
        ],
    )


EXAMPLE = '{"temperature": 21.5}'


def inbox_templates(doors: Doors, secret: str) -> list[TemplateOut]:
    """Give ready commands for a sender that nobody knows yet."""
    name = "my-first-sensor"
    curl = (
        f"curl -X POST '{doors.public_url}/ingest/v1/up' -H 'Authorization: Bearer {secret}' "
        f"-H 'X-Sender: {name}' -H 'Content-Type: application/json' -d '{EXAMPLE}'"
    )
    mosquitto = (
        f"mosquitto_pub -h {doors.host} -p {doors.mqtt_port} -i {name} -u {name} -P '{secret}' "
        f"-q 1 -t v1/up -m '{EXAMPLE}'"
    )
    return [
        TemplateOut(id="mosquitto", title="mosquitto_pub", language="shell", text=mosquitto),
        TemplateOut(id="curl", title="curl", language="shell", text=curl),
        TemplateOut(
            id="chirpstack", title="ChirpStack", language="text", text=_integration(doors, secret)
        ),
    ]


def _mosquitto(doors: Doors, _up: str, user: str, secret: str) -> str:
    return (
        f"mosquitto_pub -h {doors.host} -p {doors.mqtt_port} -u '{user}' -P '{secret}' "
        f"-q 1 -t v1/up -m '{EXAMPLE}'"
    )


def _mosquitto_tls(doors: Doors, _up: str, user: str, secret: str) -> str:
    return (
        f"curl -O {doors.public_url}/api/v1/authority.pem\n"
        f"mosquitto_pub -h {doors.host} -p {doors.mqtt_tls_port} --cafile authority.pem "
        f"-u '{user}' -P '{secret}' -q 1 -t v1/up -m '{EXAMPLE}'"
    )


def _mosquitto_sub(doors: Doors, _up: str, user: str, secret: str) -> str:
    return (
        f"mosquitto_sub -h {doors.host} -p {doors.mqtt_port} -u '{user}' -P '{secret}' "
        "-q 1 -t 'v1/op/+' -v"
    )


def _curl(_doors: Doors, up: str, _user: str, secret: str) -> str:
    return (
        f"curl -X POST '{up}' -H 'Authorization: Bearer {secret}' "
        f"-H 'Content-Type: application/json' -d '{EXAMPLE}'"
    )


def _curl_commands(doors: Doors, up: str, _user: str, secret: str) -> str:
    key = f"-H 'Authorization: Bearer {secret}'"
    operations = f"{doors.public_url}/ingest/v1/op"
    json_type = "-H 'Content-Type: application/json'"
    return f"""\
# What waits for this device; with a message it is asked for by ?downlinks=1.
curl '{operations}' {key}
curl -X POST '{up}?downlinks=1' {key} {json_type} -d '{EXAMPLE}'
# Answer: put the operation's id in place of ID.
curl -X POST '{operations}/ID/result' {key} {json_type} -d '{{"state": "completed"}}'"""


def _python(doors: Doors, _up: str, user: str, secret: str) -> str:
    return f"""\
# pip install "paho-mqtt>=2"
import json

import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.username_pw_set("{user}", "{secret}")
client.connect("{doors.host}", {doors.mqtt_port})
client.loop_start()
client.publish("v1/up", json.dumps({{"temperature": 21.5}}), qos=1).wait_for_publish()
"""


def _arduino(doors: Doors, _up: str, user: str, secret: str) -> str:
    return f"""\
// Libraries: WiFi (ESP32) and PubSubClient.
#include <PubSubClient.h>
#include <WiFi.h>

WiFiClient network;
PubSubClient mqtt(network);

void setup() {{
  WiFi.begin("YOUR-WIFI", "YOUR-WIFI-PASSWORD");
  while (WiFi.status() != WL_CONNECTED) delay(250);
  mqtt.setServer("{doors.host}", {doors.mqtt_port});
}}

void loop() {{
  if (!mqtt.connected() && !mqtt.connect("{user}", "{user}", "{secret}")) {{
    delay(5000);
    return;
  }}
  mqtt.publish("v1/up", "{{\\"temperature\\": 21.5}}");
  mqtt.loop();
  delay(60000);
}}
"""


def _esphome(doors: Doors, _up: str, user: str, secret: str) -> str:
    return f"""\
mqtt:
  broker: {doors.host}
  port: {doors.mqtt_port}
  username: "{user}"
  password: "{secret}"
  topic_prefix: null
  discovery: false

interval:
  - interval: 60s
    then:
      - mqtt.publish_json:
          topic: v1/up
          qos: 1
          payload: |-
            root["temperature"] = id(temperature).state;
"""


def _tasmota(doors: Doors, _up: str, user: str, secret: str) -> str:
    return (
        f"Backlog MqttHost {doors.host}; MqttPort {doors.mqtt_port}; MqttUser {user}; "
        f"MqttPassword {secret}; FullTopic v1/up/%prefix%/%topic%/; SetOption4 0; TelePeriod 60"
    )


def _node_red(doors: Doors, _up: str, user: str, secret: str) -> str:
    broker = {
        "id": "moorage-broker",
        "type": "mqtt-broker",
        "name": "Moorage",
        "broker": doors.host,
        "port": str(doors.mqtt_port),
        "clientid": "",
        "autoConnect": True,
        "protocolVersion": "5",
        "keepalive": "60",
        "cleansession": True,
        "credentials": {"user": user, "password": secret},
    }
    out = {
        "id": "moorage-up",
        "type": "mqtt out",
        "name": "to Moorage",
        "topic": "v1/up",
        "qos": "1",
        "retain": "false",
        "broker": "moorage-broker",
        "x": 400,
        "y": 100,
        "wires": [],
    }
    inject = {
        "id": "moorage-inject",
        "type": "inject",
        "name": "a value",
        "props": [{"p": "payload"}],
        "payload": EXAMPLE,
        "payloadType": "json",
        "repeat": "60",
        "once": True,
        "x": 180,
        "y": 100,
        "wires": [["moorage-up"]],
    }
    return json.dumps([broker, inject, out], indent=2)


def _chirpstack(doors: Doors, _up: str, _user: str, _secret: str) -> str:
    return (
        "# Once for a whole ChirpStack application. The key is the inbox key of this application\n"
        "# (or a gateway's, which then serves the devices behind it). Each device is known by its\n"
        "# identifier devEui and needs no key of its own; unknown ones wait in the inbox.\n"
        + _integration(doors, "YOUR-INBOX-KEY")
    )


def _integration(doors: Doors, secret: str) -> str:
    return (
        "Application > Integrations > HTTP:\n"
        "  Payload encoding: JSON\n"
        f"  Event endpoint URL: {doors.public_url}/ingest/v1/chirpstack\n"
        f"  Header: Authorization = Bearer {secret}"
    )
