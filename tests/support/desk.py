"""The command line against the fake broker: runs commands as a party and shows what came of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from fake_broker import FakeTransport
from sluis_client import cli

BAGS = [f"034401{number:010d}" for number in range(30)]
LOCATIONS = "BAG;Bedden;Status\n" + "".join(f"{bag};{n};geldig\n" for n, bag in enumerate(BAGS[:20]))
ADDRESSES = "BAG;naam\n" + "".join(f"{bag};n{n}\n" for n, bag in enumerate(BAGS[10:])) + "kapot;nx\n"


class Desk:
    """Runs commands as a party and shows what came of them."""

    def __init__(self, world, monkeypatch, capsys):
        self.world, self.capsys = world, capsys
        self.transports = []
        self.plan = []
        world.broker.now = datetime.now(UTC)
        monkeypatch.setattr("sluis_client.client.connect", self._connect)
        monkeypatch.chdir(world.directory)
        (world.directory / "locations.csv").write_text(LOCATIONS, encoding="utf-8")
        (world.directory / "addresses.csv").write_text(ADDRESSES, encoding="utf-8")

    def _connect(self, profile):
        transport = FakeTransport(self.world.broker, profile.party)
        for change in self.plan:
            change(transport)
        self.plan = []
        self.transports.append(transport)
        return transport

    def run(self, party, *words, expect=0):
        words = [*words, "--profile", f"{party}/sluis-client.yaml"] if party else list(words)
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        out, err = self.capsys.readouterr()
        assert caught.value.code == expect, (out, err)
        self.err = err
        return out

    def json(self, party, *words, expect=0):
        return json.loads(self.run(party, *words, "--json", expect=expect))

    def ready(self):
        for party in ("snf", "utrecht"):
            self.run(party, "keys", "init")
        self.run("snf", "keys", "create", "--purpose", "snf-locatie")
        self.publish()

    def publish(self, *words, expect=0, as_json=False):
        run = self.json if as_json else self.run
        yesterday = (self.world.broker.now - timedelta(days=1)).strftime("%Y-%m-%d")
        return run(
            "snf", "publish", "locations.csv", "--purpose", "snf-locatie", "--scheme", "bag",
            "--map", "beds=Bedden", "--map", "certificate-status=Status", "--as-of", yesterday,
            "--coverage", "all locations", *words, expect=expect,
        )  # fmt: skip

    def match(self, *words, expect=0, as_json=False):
        run = self.json if as_json else self.run
        return run("utrecht", "match", "addresses.csv", *QUESTION, "--out", "answers.csv", *words, expect=expect)


QUESTION = ("--purpose", "snf-locatie", "--scheme", "bag", "--answerer", "snf")
