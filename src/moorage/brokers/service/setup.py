"""The configuration that makes a broker ask the platform, to paste."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from moorage.sources import BrokerKind

from ..model import Piece
from .nats import ACCOUNT, ASKED, WATCHING

PLACEHOLDER = "<token>"
_RABBITMQ = """\
# The plugins: rabbitmq-plugins enable rabbitmq_mqtt rabbitmq_auth_backend_http rabbitmq_management
auth_backends.1 = http
auth_http.http_method = post
auth_http.user_path = {url}/{token}/user
auth_http.vhost_path = {url}/{token}/vhost
auth_http.resource_path = {url}/{token}/resource
auth_http.topic_path = {url}/{token}/topic
mqtt.vhost = /
mqtt.exchange = amq.topic
mqtt.allow_anonymous = false
"""
_EMQX = """\
authentication = [{{
  mechanism = password_based
  backend = http
  method = post
  url = "{url}/authn"
  headers {{ content-type = "application/json", authorization = "Bearer {token}" }}
  body {{
    username = "${{username}}", password = "${{password}}"
    clientid = "${{clientid}}", peerhost = "${{peerhost}}"
  }}
}}]
authorization {{
  no_match = deny
  deny_action = disconnect
  # A refusal has to be in force at once.
  cache {{ enable = true, ttl = "1s" }}
  sources = [{{
    type = http
    method = post
    url = "{url}/authz"
    headers {{ content-type = "application/json", authorization = "Bearer {token}" }}
    body {{
      username = "${{username}}", clientid = "${{clientid}}", peerhost = "${{peerhost}}"
      action = "${{action}}", topic = "${{topic}}"
    }}
  }}]
}}
"""
_GO_AUTH = """\
allow_anonymous false
# Sessions are kept by client id: nobody shall take another's.
use_username_as_clientid true
auth_plugin /etc/mosquitto/go-auth.so
auth_opt_backends http
auth_opt_http_host {host}
auth_opt_http_port {port}
auth_opt_http_with_tls {tls}
auth_opt_http_verify_peer {tls}
auth_opt_http_method POST
auth_opt_http_params_mode json
auth_opt_http_response_mode status
auth_opt_http_getuser_uri {path}/{token}/user
auth_opt_http_superuser_uri {path}/{token}/superuser
auth_opt_http_aclcheck_uri {path}/{token}/acl
auth_opt_cache true
# A refusal has to be in force at once.
auth_opt_auth_cache_seconds 1
auth_opt_acl_cache_seconds 1
# Who comes and goes.
connection_messages true
log_type error
log_type warning
log_type notice
log_dest topic
"""
_MOSQUITTO = """\
# Written anew, and read by the broker, from time to time:
#   moorage broker export <name> --directory /etc/mosquitto/moorage && systemctl reload mosquitto
per_listener_settings false
allow_anonymous false
password_file /etc/mosquitto/moorage/passwords
acl_file /etc/mosquitto/moorage/rights
# Sessions are kept by client id: nobody shall take another's.
use_username_as_clientid true
# Who comes and goes.
connection_messages true
log_type error
log_type warning
log_type notice
log_dest topic
"""
_NATS = """\
server_name: moorage
jetstream {{ store_dir: "/var/lib/nats" }}
mqtt {{ port: 1883 }}
accounts {{
  SYS: {{ users: [ {{ user: "{watching}", password: "{token}" }} ] }}
  MOORAGE: {{ users: [ {{ user: "{asked}", password: "{token}" }} ] }}
  {account}: {{ jetstream: enabled }}
}}
system_account: SYS
authorization {{
  timeout: 5
  auth_callout {{ issuer: {issuer}, auth_users: [ "{asked}", "{watching}" ], account: MOORAGE }}
}}
"""
_HOOKS = (
    "auth_on_register", "auth_on_publish", "auth_on_subscribe", "on_deliver",
)  # fmt: skip


def pieces(
    kind: BrokerKind, public_url: str, token: str = PLACEHOLDER, issuer: str = ""
) -> list[Piece]:
    """Write the parts of a broker's configuration.

    Args:
        kind: the software.
        public_url: where the platform is reached, such as `https://moorage.example.org`.
        token: the broker's; a placeholder where it is not known any more.
        issuer: whose signature a NATS server believes.
    """
    if kind is BrokerKind.NATS:
        names = {"asked": ASKED, "watching": WATCHING, "account": ACCOUNT}
        text = _NATS.format(token=token, issuer=issuer, **names)
        return [Piece("/etc/nats-server.conf", text)]
    return _WRITERS[kind](f"{public_url.rstrip('/')}/brokers/v1", token)


def _rabbitmq(url: str, token: str) -> list[Piece]:
    return [Piece("/etc/rabbitmq/rabbitmq.conf", _RABBITMQ.format(url=url, token=token))]


def _emqx(url: str, token: str) -> list[Piece]:
    return [Piece("/etc/emqx/emqx.conf", _EMQX.format(url=url, token=token))]


def _go_auth(url: str, token: str) -> list[Piece]:
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    tls = scheme == "https"
    if not colon:
        host, port = authority, "443" if tls else "80"
    text = _GO_AUTH.format(host=host, port=port, tls=str(tls).lower(), path=f"/{path}", token=token)
    return [Piece("/etc/mosquitto/conf.d/moorage.conf", text)]


def _vernemq(url: str, token: str) -> list[Piece]:
    lines = ["allow_anonymous = off", "plugins.vmq_passwd = off", "plugins.vmq_acl = off",
             "plugins.vmq_webhooks = on"]  # fmt: skip
    for number, hook in enumerate([*_HOOKS, *(f"{hook}_m5" for hook in _HOOKS)], 1):
        lines.append(f"vmq_webhooks.moorage{number}.hook = {hook}")
        lines.append(f"vmq_webhooks.moorage{number}.endpoint = {url}/{token}/hook")
    return [Piece("/etc/vernemq/vernemq.conf", "\n".join([*lines, ""]))]


def _mosquitto(_url: str, _token: str) -> list[Piece]:
    return [Piece("/etc/mosquitto/conf.d/moorage.conf", _MOSQUITTO)]


_WRITERS: Mapping[BrokerKind, Callable[[str, str], list[Piece]]] = {
    BrokerKind.MOSQUITTO: _mosquitto,
    BrokerKind.GO_AUTH: _go_auth,
    BrokerKind.EMQX: _emqx,
    BrokerKind.VERNEMQ: _vernemq,
    BrokerKind.RABBITMQ: _rabbitmq,
}
