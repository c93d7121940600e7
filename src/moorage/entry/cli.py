"""The `moorage` command line: which command stands in which module.

A module is loaded when its command is asked for, so that no command waits for what it does not use.
"""

from __future__ import annotations

import sys

from cyclopts import App

from moorage.kit.errors import Kind, MoorageError

# Whose function has another name.
NAMED = {
    "audit": "app",
    "broker": "app",
    "import": "import_",
    "decoder": "app",
    "keys": "app",
    "user": "app",
}

app = App(
    name="moorage",
    help="One self-hosted platform for a mixed fleet of devices.",
    version_flags=["--version"],
)
app.register_install_completion_command(help="Install the completion of your shell.")
for module, commands in {
    "run": {
        "run": "Start the whole platform on this machine and watch over it.",
        "api": "Serve the console and the API, against a database that is there.",
        "listen": "Take devices' connections, against a database that is there.",
        "work": "Decode, keep and forward what came in, against a database that is there.",
        "migrate": "Bring the database to the shape this version needs.",
    },
    "check": {
        "doctor": "Check this deployment and say what to mend; ends with 1 if something is bad.",
        "config": "Show every setting in force and where it came from; secrets stay hidden.",
        "plugins": "List the installed plugins, and those that do not fit; ends with 1 if "
        "there are such.",
        "reload": "Have the running platform take on what changed in its TOML file, as far as "
        "it can.",
    },
    "client": {
        "tail": "Follow what devices send, as it is decoded, until Ctrl-C.",
        "send": "Send one message as a device, over HTTP.",
        "decode": "Decode bytes with a decoder of the platform; without one, show which make "
        "sense of them.",
    },
    "trace": {"trace": "Watch the MQTT packets of a device, in and out, for 15 minutes."},
    "things": {
        "get": "List things, or show one.",
        "create": "Make a thing and print it, with the secret that is shown only now if it "
        "has one.",
        "change": "Change fields of a thing and print it as it is now; refused if it changed "
        "meanwhile.",
        "remove": "Remove a thing.",
        "export": "Write devices or audit entries to standard output as CSV; never a secret.",
        "import": "Enrol and change devices from a CSV file; bad rows are named and left out "
        "(exit code 1).",
    },
    "many": {
        "many": "Do the same to many things; those it could not be done to are named (exit "
        "code 1).\n\n"
        "Such as: moorage many devices change --where application=Bins changes.state=maintenance."
    },
    "do": {
        "do": "Do something to a thing and print the answer; without a verb, list what can be "
        "done.\n\n"
        "Such as: moorage do devices 'Bin 7' operations code=reboot; "
        "moorage do targets City pause."
    },
    "phone": {
        "phone": "Show a QR code; the phone that opens it, once and within fifteen minutes, "
        "becomes a device."
    },
    "simulate": {
        "demo": "Add a harbour town of simulated devices to the running installation, and "
        "play it.\n\n"
        "It goes on where it stopped; what it kept lies in `demo.json` in the data directory.",
        "simulate": "Simulate a fleet of devices against any installation, and tell how it "
        "goes.\n\n"
        "The devices are made in an application of their own, and removed again at the end.",
    },
    "broker": {"broker": "Write files for brokers in front that ask nobody."},
    "decoder": {"decoder": "Run and test decoders without a server."},
    "keys": {"keys": "Show and rotate the keys that seal stored secrets."},
    "audit": {"audit": "Verify exports of the audit; rotate the key that signs it."},
    "user": {"user": "Let people in, list them, close their accounts."},
}.items():
    for name, what in commands.items():
        app.command(f"moorage.entry.cli_{module}:{NAMED.get(name, name)}", name=name, help=what)
# What `moorage run` says once everything works.
app.command("moorage.entry.cli_run:welcome", name="welcome", show=False)

# Trying again cannot mend this failure; the supervisor does not restart what ends so.
EXIT_REFUSED = 2
EXIT_FAILED = 1


@app.command
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    sys.stdout.write(f"{installed('moorage')}\n")


def main() -> None:
    """Run the command line; an expected failure is one line, not a traceback."""
    try:
        sys.exit(app(result_action="return_value"))
    except MoorageError as failed:
        sys.stderr.write(f"moorage: {failed}\n")
        sys.exit(EXIT_FAILED if failed.kind is Kind.UNAVAILABLE else EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
