"""Debian's slapd over TLS, with an organisation of people and groups in it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from moorage.testing.authority import Authority
from ports import free_port

SUFFIX = "dc=north,dc=example"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
SERVICE, SERVICE_PASSWORD = f"cn=moorage,{SUFFIX}", "what moorage says"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{SUFFIX}", "what the admin says"
# More than the server gives at once.
CROWD = 1_200

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
# A bind with a name and no password succeeds as nobody here: whoever asks must know better.
allow bind_anon_dn
{tls}
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw "{admin_password}"
directory {directory}/data
maxsize 104857600
dbnosync
index objectClass,uid,mail,member,entryUUID eq
sizelimit size.soft=500 size.hard=500 size.pr=500 size.prtotal=unlimited
access to attrs=userPassword by self write by dn.exact="{service}" write by anonymous auth by * none
access to * by dn.exact="{service}" write by * read
"""
TLS = """
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
"""
PERSON = """
dn: uid={uid},{people}
objectClass: inetOrgPerson
objectClass: shadowAccount
uid: {uid}
cn: {name}
sn: {name}
mail: {uid}@north.example
userPassword: {uid} knows this

"""


def person(uid: str) -> str:
    """Write a person as LDIF; the password is `<uid> knows this`."""
    return PERSON.format(uid=uid, name=uid.title(), people=PEOPLE).lstrip()


def group(name: str, *members: str) -> str:
    """Write a group as LDIF."""
    lines = [f"dn: cn={name},{GROUPS}", "objectClass: groupOfNames", f"cn: {name}"]
    return "\n".join([*lines, *(f"member: {one}" for one in members)]) + "\n\n"


def dn_of(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


def dn_of_group(name: str) -> str:
    return f"cn={name},{GROUPS}"


def everything(uids: tuple[str, ...]) -> str:
    """Write the whole tree as LDIF."""
    head = (
        f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: North\ndc: north\n\n"
        f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
        f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
        f"dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
        f"cn: moorage\nuserPassword: {SERVICE_PASSWORD}\n\n"
    )
    crowd = (f"crowd{n}" for n in range(CROWD))
    return head + "".join(person(uid) for uid in (*uids, *crowd))


class Slapd:
    """One running slapd.

    Attributes:
        authority: PEM of who issued its certificate.
    """

    def __init__(self, directory: Path, ldif: str, *, tls: bool = True) -> None:
        self.directory = directory
        self.tls_port, self.port = free_port(), free_port()
        issuer = Authority(directory)
        self.authority = issuer.certificate
        (directory / "authority.pem").write_text(self.authority)
        certificate, key = issuer.files("localhost")
        files = {"authority": directory / "authority.pem", "certificate": certificate, "key": key}
        (directory / "data").mkdir()
        config = CONFIG.format(
            directory=directory,
            tls=TLS.format(**files) if tls else "",
            suffix=SUFFIX,
            admin=ADMIN,
            admin_password=ADMIN_PASSWORD,
            service=SERVICE,
        )
        self._config = directory / "slapd.conf"
        self._config.write_text(config)
        (directory / "all.ldif").write_text(ldif)
        subprocess.run(
            [_tool("slapadd"), "-q", "-f", self._config, "-l", directory / "all.ldif"],
            check=True,
            capture_output=True,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._tls = tls

    @property
    def url(self) -> str:
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def start_tls_url(self) -> str:
        return f"ldap://localhost:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        urls = f"ldap://127.0.0.1:{self.port}"
        if self._tls:
            urls += f" ldaps://127.0.0.1:{self.tls_port}"
        with (self.directory / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_tool("slapd"), "-f", self._config, "-h", urls, "-d", "0"], stdout=log, stderr=log
            )
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise AssertionError((self.directory / "slapd.log").read_text())

    def stop(self) -> None:
        """Kill it, as a machine dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def change(self, ldif: str, *, add: bool = False) -> None:
        """Change entries by Debian's own client."""
        self._run("ldapadd" if add else "ldapmodify", text=ldif)

    def set(self, dn: str, attribute: str, *values: str) -> None:
        """Replace an attribute's values."""
        lines = [f"dn: {dn}", "changetype: modify", f"replace: {attribute}"]
        self.change("\n".join([*lines, *(f"{attribute}: {value}" for value in values)]) + "\n")

    def rename(self, uid: str, new: str) -> None:
        """Give somebody another name, and so another distinguished name."""
        self.change(f"dn: {dn_of(uid)}\nchangetype: modrdn\nnewrdn: uid={new}\ndeleteoldrdn: 1\n")

    def remove(self, dn: str) -> None:
        """Delete an entry."""
        self.change(f"dn: {dn}\nchangetype: delete\n")

    def remove_referral(self, dn: str) -> None:
        """Delete a referral, and not what it refers to."""
        self._run("ldapdelete", "-M", dn)

    def lets_in(self, dn: str, password: str) -> bool:
        """Tell whether somebody can sign in to the directory itself."""
        command = ["ldapwhoami", "-x", "-H", f"ldap://127.0.0.1:{self.port}"]
        asked = subprocess.run([*command, "-D", dn, "-w", password], capture_output=True)
        return asked.returncode == 0

    def _run(self, tool: str, *others: str, text: str = "") -> None:
        command = [tool, "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN]
        done = subprocess.run(
            [*command, "-w", ADMIN_PASSWORD, *others], input=text.encode(), capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def running(directory: Path, *uids: str, tls: bool = True, more: str = "") -> Iterator[Slapd]:
    """Run a slapd with these people, and what else is given as LDIF."""
    made = Slapd(directory, everything(uids) + more, tls=tls)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _tool(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert found, f"{name} is not installed; run scripts/system-packages test."
    return found
