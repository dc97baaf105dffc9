"""`make demo`: one true story between five parties, each step a command that can be repeated by hand.

`--sandbox` leaves the world running for an integrator to try; `--quiet` prints the story without the commands' output.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from data import write_all
from world import PERSONS, PLAYERS, DemoWorld, copy_policies, free_port, now, parties_of

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(sys.executable).parent


class Story:
    """Prints and runs the steps. A step that ends otherwise than the story says stops the demo."""

    def __init__(self, directory: Path, *, quiet: bool) -> None:
        self.directory = directory
        self.quiet = quiet
        self.began = time.monotonic()
        self.environment = {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', '')}"}

    def tell(self, text: str) -> None:
        """A line of the story."""
        print(text, flush=True)

    def chapter(self, title: str) -> None:
        """A heading."""
        print(f"\n== {title}", flush=True)

    def run(self, command: str, *, expect: int = 0, show: bool = True) -> str:
        """Runs a command inside the demo's folder and shows both; returns what it printed."""
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            command,
            shell=True,  # the commands are the demo's own text, shown as one types them
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        text = done.stdout + done.stderr
        if show and not self.quiet:
            for line in text.strip().splitlines():
                print(f"  {line}", flush=True)
        if done.returncode != expect:
            print(text)
            raise SystemExit(f"the demo expected exit code {expect}, not {done.returncode}")
        return text

    def act(self, party: str, command: str, *, expect: int = 0, show: bool = True) -> str:
        """Runs a party's `sluis-client` command under its own profile."""
        return self.run(f"sluis-client {command} -p {party}/sluis-client.yaml", expect=expect, show=show)


@contextmanager
def running(story: Story, folder: str, command: str) -> Iterator[None]:
    """A broker or key service as a process beside the story, with its files under `folder`."""
    command = f"{command} --ready-file {folder}/ready"
    story.tell(f"$ {command} 2> {folder}/log.jsonl &")
    (story.directory / folder).mkdir(exist_ok=True)
    ready = story.directory / folder / "ready"
    ready.unlink(missing_ok=True)
    with (story.directory / folder / "log.jsonl").open("ab") as log:
        process = subprocess.Popen(
            [str(BINARIES / "sluis"), *command.split()[1:]], cwd=story.directory, stderr=log, stdout=log
        )
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((story.directory / folder / "log.jsonl").read_text())
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def build(story: Story) -> DemoWorld:
    """Certificates, signed policies, broker keys, everyone's configuration, made-up records."""
    directory = story.directory
    story.chapter("A world: certificates, signed policies, a broker")
    moved = copy_policies(ROOT / "policies", directory / "policies", now())
    if moved:
        story.tell("(the sample policies had ended; their dates were moved for the demo)")
    world = DemoWorld(directory, free_port(), free_port(), parties_of(directory / "policies"))
    oins = " ".join(f"--party {party}={oin}" for party, oin in world.parties.items())
    printed = story.run(f"sluis dev-pki pki {oins} --signer asking-side --signer answering-side", show=False)
    world.signers = re.findall(r"^signer \S+ ([0-9a-f]{64})$", printed, re.MULTILINE)
    world.write_officers()
    world.write_broker()
    world.verifier_key = story.run("sluis keys init --config broker.yaml").strip()
    key_services(story, world)
    story.tell("Both sides of every active purpose approve what it means; then two people sign the whole set.")
    purposes = " ".join(f"--purpose {purpose}" for purpose in world.active_purposes())
    for side in ("asking", "answering"):
        story.run(
            f"sluis policy sign policies --as {side}-office --key pki/signer-{side}-side.key {purposes}", show=False
        )
    expires = f"{now() + timedelta(days=180):%Y-%m-%d}"
    story.run(f"sluis policy bundle policies --revision 1 --expires {expires} --out policy.bundle")
    story.run("sluis policy sign policy.bundle --key pki/signer-asking-side.key --role 'asking side'")
    story.run("sluis policy sign policy.bundle --key pki/signer-answering-side.key --role 'answering side'")
    world.write_profiles()
    story.run("sluis audit trust make --config broker.yaml --out trust.yaml")
    write_all(directory / "records")
    return world


def key_services(story: Story, world: DemoWorld) -> None:
    """Two key services at two operators; the policy pins what they made, so that no client takes another key."""
    story.tell("Two key services for questions about persons, of two operators: each makes a key for this month.")
    operator = "sleuteldienst-oost"
    story.run(f"sluis dev-pki oost/pki --party {operator}={world.parties[operator]}", show=False)
    world.write_key_service()
    story.run("sluis keys init --config oost/key-service.yaml", show=False)
    keys = {}
    for service, config in (("sluis", "broker.yaml"), ("oost", "oost/key-service.yaml")):
        made = story.run(f"sluis key-service key make --purpose {PERSONS} --epoch {now():%Y-%m} --config {config}")
        keys[service] = re.findall(r"[0-9a-f]{64}", made)[0]
    world.pin(keys)


def share_keys(story: Story) -> None:
    """Encryption keys, then K from each steward to the participants."""
    story.chapter("Keys: made by the steward, sealed to each participant, unreadable to the broker")
    for party in ("snf", "utrecht", "sna", "nla", "uwv"):
        story.act(party, "keys init", show=party == "snf")
    story.act("snf", "keys create --purpose snf-locatie")
    story.act("sna", "keys create --purpose sna-overzicht")
    story.act("nla", f"keys create --purpose {PERSONS}", show=False)
    story.act("utrecht", "keys fetch --purpose snf-locatie")
    story.act("nla", "keys fetch --purpose sna-overzicht")


def housing(story: Story) -> None:
    """P06: the municipality asks which of its addresses are certified."""
    as_of = f"{now() - timedelta(days=1):%Y-%m-%d}"
    story.chapter("SNF publishes 20,000 certified housing locations from a messy export")
    story.act(
        "snf",
        "publish records/snf-locaties.csv --purpose snf-locatie --scheme bag --columns bag=BAG-id "
        "--map certificate-status=Status --map beds=Bedden --map 'last-inspection=Laatste inspectie' "
        f"--as-of {as_of} --coverage 'all certified locations in the register'",
    )
    story.chapter("The municipality asks about 1,000 addresses from its own messy list (P06)")
    story.act(
        "utrecht",
        "match records/utrecht-adressen.csv --purpose snf-locatie --scheme bag "
        "--columns 'bag=BAG nummeraanduiding/verblijfsobject' --restore-zeros --answerer snf "
        "--want certificate-status,beds,last-inspection --out utrecht/answers.csv",
    )
    story.tell("What the municipality learned:")
    statuses: Counter[str] = Counter()
    with (story.directory / "utrecht" / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            statuses[" ".join(filter(None, [row["status"], row.get("certificate-status") or ""]))] += 1
    for status, count in statuses.most_common():
        story.tell(f"  {count:5d}  {status}")
    story.tell("What SNF learned: that Utrecht asked about 992 addresses under this purpose, and when; not which.")


def overview(story: Story) -> None:
    """P01: the Inspectorate takes the quarterly overview of certified firms."""
    as_of = f"{now() - timedelta(days=1):%Y-%m-%d}"
    story.chapter("The Labour Inspectorate takes the quarterly overview of certified firms from SNA (P01)")
    story.act(
        "sna",
        f"publish records/sna-gecertificeerd.csv --purpose sna-overzicht --scheme vestiging "
        f"--as-of {as_of} --coverage 'all certified establishments'",
    )
    story.act(
        "nla",
        "match records/nla-lijst.tsv --purpose sna-overzicht --scheme vestiging --answerer sna --hit "
        "--out nla/overview.csv",
    )
    story.tell("What the Inspectorate learned: which of the firms it already knew are certified, and of no other firm.")


def persons(story: Story) -> None:
    """P04: the Inspectorate asks UWV about persons, in mode oblivious."""
    as_of = f"{now() - timedelta(days=1):%Y-%m-%d}"
    story.chapter("The Inspectorate asks UWV about 25 persons (P04): two key services help, and see nobody")
    story.act(
        "uwv",
        f"publish records/uwv-bekend.csv --purpose {PERSONS} --scheme bsn --columns bsn=Burgerservicenummer "
        f"--as-of {as_of} --coverage 'persons with a running employment'",
    )
    ask = (
        f"match records/nla-personen.csv --purpose {PERSONS} --scheme bsn --answerer uwv --hit "
        "--case-number NLA-2026-8812 --out nla/persons.csv"
    )
    story.act("nla", ask)
    story.tell("The next day, about the same persons in the same case: nothing is evaluated any more.")
    again = story.act("nla", f"{ask} --new")
    if "evaluations" in again:
        raise SystemExit("a later question cost evaluations")


def refusals(story: Story) -> None:
    """What was never agreed is refused, with reasons."""
    story.chapter("The municipality asks for an attribute that was never agreed")
    story.act(
        "utrecht",
        "match records/utrecht-adressen.csv --purpose snf-locatie --scheme bag "
        "--columns 'bag=BAG nummeraanduiding/verblijfsobject' --restore-zeros --answerer snf "
        "--want certificate-status,enterprise-name --out utrecht/never.csv",
        expect=5,
    )
    story.chapter("A certifier asks for a match on persons")
    story.act(
        "certificeerder-noord",
        "check --purpose brp-inschrijving --scheme bsn --answerer rvig --hit --subjects 10",
        expect=5,
    )


def receipts(story: Story) -> None:
    """Both sides hold proofs."""
    story.chapter("Receipts verify at both sides, offline")
    story.act("utrecht", "receipt verify utrecht/answers.csv.receipts.json")
    story.act("snf", "receipts fetch --out snf/receipts.json")
    story.act("snf", "receipt verify snf/receipts.json")


def suspend(story: Story) -> None:
    """One person closes a purpose; the log has it, and the next question is denied."""
    story.chapter("One officer suspends the purpose: it is closed at once, without a restart")
    story.run(
        "sluis policy suspend snf-locatie --key pki/signer-answering-side.key --config broker.yaml "
        "--reason 'wrong register published'"
    )
    story.act(
        "utrecht",
        "check --purpose snf-locatie --scheme bag --answerer snf --want beds --subjects 10",
        expect=5,
    )


def audit(story: Story) -> None:
    """The log without its broker."""
    story.chapter("The broker is stopped; an auditor verifies the log without it")
    story.run("sluis audit export --config broker.yaml --out log.bundle")
    story.run("sluis audit verify log.bundle --trust trust.yaml")
    story.tell("With a receipt that the municipality holds, nothing can have been cut before it:")
    story.run("sluis audit verify log.bundle --trust trust.yaml --expect utrecht/never.csv.receipts.json")
    story.chapter("One byte of the export is flipped")
    bundle = bytearray((story.directory / "log.bundle").read_bytes())
    bundle[len(bundle) // 2] ^= 1
    (story.directory / "flipped.bundle").write_bytes(bytes(bundle))
    done = subprocess.run(
        [str(BINARIES / "sluis"), "audit", "verify", "flipped.bundle", "--trust", "trust.yaml"],
        cwd=story.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    story.tell("$ sluis audit verify flipped.bundle --trust trust.yaml")
    lines = (done.stdout + done.stderr).strip().splitlines()
    gravest = next((at for at, line in enumerate(lines) if line.startswith("  ") and ": " in line), len(lines) - 1)
    for line in [*lines[gravest : gravest + 4], "  ...", lines[-1]]:
        story.tell(f"  {line}")
    if done.returncode == 0:
        raise SystemExit("a flipped byte was accepted")


def broker_view(story: Story) -> None:
    """What the broker could see, from its own files."""
    story.chapter("What the broker could see")
    story.tell("  who asked whom, when, under which purpose, about how many subjects, and how many were found;")
    story.tell("  pseudonyms under a key it never held, and sealed fields it cannot open.")
    data = b"".join(path.read_bytes() for path in (story.directory / "broker").rglob("*") if path.is_file())
    with (story.directory / "records" / "utrecht-adressen.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = {re.sub(r"\D", "", row["BAG nummeraanduiding/verblijfsobject"]) for row in csv.DictReader(file)}
    bags = {cell.zfill(16) for cell in cells if len(cell) in {15, 16}}
    found = sum(bag.encode() in data or bag[1:].encode() in data for bag in bags)
    known = set((story.directory / "records" / "uwv-bekend.csv").read_text(encoding="utf-8").split()[1:])
    data += b"".join(path.read_bytes() for path in (story.directory / "oost").rglob("*") if path.is_file())
    found += sum(bsn.encode() in data for bsn in known)
    story.tell(
        f"  searched {len(data):,} bytes of its and the key service's files for {len(bags)} BAG numbers and "
        f"{len(known)} BSNs: found {found}"
    )
    if found:
        raise SystemExit("an identifier stands in the broker's files")


def stay(story: Story, world: DemoWorld) -> None:
    """Leaves the broker running until Ctrl-C."""
    story.chapter("Sandbox: the broker and a second key service run until Ctrl-C")
    story.tell(f"  broker      127.0.0.1:{world.port}, mutual TLS 1.3")
    story.tell(f"  key service 127.0.0.1:{world.service_port}: oost; the broker's own is at the broker's address")
    story.tell(f"  folder      {story.directory}")
    for party in PLAYERS:
        story.tell(f"  {party:22}{story.directory / party / 'sluis-client.yaml'}")
    story.tell(
        "  identifiers KvK 68750110, RSIN 857587973, vestiging 000037178598, BSN 999993653: published test numbers"
    )
    story.tell(f"  try         cd {story.directory} && sluis-client purposes list -p utrecht/sluis-client.yaml")
    story.tell(f'  on your PATH  export PATH="{BINARIES}:$PATH"')
    try:
        signal.pause()
    except KeyboardInterrupt:
        story.tell("\nstopped")


def main() -> None:
    """Plays the whole story, or builds the sandbox."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", action="store_true", help="leave the world running")
    parser.add_argument("--quiet", action="store_true", help="the story only")
    parser.add_argument("--directory", type=Path, help="where; default demo-run or sandbox-run")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # also when started in the background, where SIGINT is ignored
        signal.signal(number, signal.default_int_handler)
    directory = (options.directory or ROOT / ("sandbox-run" if options.sandbox else "demo-run")).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    story = Story(directory, quiet=options.quiet)
    world = build(story)
    broker = running(story, "broker", "sluis serve --config broker.yaml")
    with broker, running(story, "oost", "sluis key-service serve --config oost/key-service.yaml"):
        share_keys(story)
        housing(story)
        overview(story)
        persons(story)
        if options.sandbox:
            stay(story, world)
            return
        refusals(story)
        receipts(story)
        suspend(story)
    audit(story)
    broker_view(story)
    story.tell(
        f"\nThe whole story took {time.monotonic() - story.began:.0f} s; everything it made is in {directory.name}/."
    )
    story.tell(
        "To repeat a command: put .venv/bin on your PATH, cd demo-run, start broker and key service as shown above."
    )
    story.tell("verified")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
