"""The broker's configuration file, `broker.yaml`: every setting once, unknown keys refused.

Paths are relative to the file. `sluis init` writes a commented example. Nothing is read from the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from sluis_custody.choosing import check_protection
from sluis_custody.errors import CustodyError
from sluis_custody.secret_sources import secret_source

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey
from broker.exchange_log.cosignature import parse_witness_key
from broker.parties import Environment, check_party_name
from broker.policy.problems import did_you_mean
from broker.policy.strict_yaml import YamlFile, read_yaml
from broker.witness.calling import check_url

_Closed = ConfigDict(extra="forbid", frozen=True)


_PLAIN = {
    "origin": "is 3 to 101 lower-case letters, digits, dots, slashes and hyphens, such as sluis.example.nl/2026",
    "listen": "is an address and a port, such as 127.0.0.1:7443",
    "url": "is an address that begins with http:// or https://",
    "signers": "holds Ed25519 public keys of 64 lower-case hex digits, as `sluis policy sign` prints them",
}
"""What settings of a shape look like, for people."""


class Tls(BaseModel):
    """The broker's certificate and whose clients it trusts."""

    model_config = _Closed
    certificate: Path
    key: Path
    client_issuers: Annotated[list[Path], Field(min_length=1)]
    """CA certificates (PEM) that may issue clients' certificates."""
    revocation_lists: Annotated[list[Path], Field(min_length=1)]
    """One CRL (PEM) per issuer. Without a fresh one nobody of that issuer gets in."""
    revocation_max_age_hours: Annotated[int, Field(ge=1, le=720)] = 48


class Policy(BaseModel):
    """Where the policy set comes from and who must have signed it."""

    model_config = _Closed
    bundle: Path
    signers: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = []
    """Ed25519 public keys, hex."""
    quorum: Annotated[int, Field(ge=1)] = 2
    """How many distinct signers must have signed; at least 2 in production."""
    unsafe_skip_approvals: bool = False
    """Take active purposes that their asking and answering side did not approve; refused in production."""


class WitnessAddress(BaseModel):
    """One witness: where it takes checkpoints, and its key."""

    model_config = _Closed
    url: str
    """Submission prefix: `add-checkpoint` is put behind it."""
    verifier_key: str
    """C2SP vkey of type 0x04, got from the witness's operator."""


class Witnessing(BaseModel):
    """Who must cosign this log's checkpoints, and how long it may go on without."""

    model_config = _Closed
    witnesses: Annotated[list[WitnessAddress], Field(min_length=1, max_length=32)]
    quorum: Annotated[int, Field(ge=1)]
    """How many of them must have cosigned a checkpoint for it to count as witnessed."""
    grace_minutes: Annotated[int, Field(ge=0, le=1440)] = 15
    """How long entries may stand without a quorum before new questions are refused; 0 is strict."""
    ca_file: Path | None = None
    """CAs (PEM) of the witnesses' own certificates, instead of the machine's."""

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The witnesses' keys, in the order given."""
        return tuple(parse_witness_key(one.verifier_key) for one in self.witnesses)


class TimeStamps(BaseModel):
    """Who stamps checkpoints (RFC 3161), and how often."""

    model_config = _Closed
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]
    certificates: Annotated[list[Path], Field(min_length=1)]
    """CA certificates (PEM) above the time stamper's own."""
    every_minutes: Annotated[int, Field(ge=1, le=1440)] = 60


class KeyServiceRole(BaseModel):
    """The key service of mode `oblivious` that runs here."""

    model_config = _Closed
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    """Its id in the signed policy. Every key is bound to it."""
    alone: bool = False
    """Whether this is a key service and no broker: `sluis key-service serve` runs it."""


class KeyStore(BaseModel):
    """What protects the files under `keys`."""

    model_config = _Closed
    by: str
    """`passphrase`, `keyring`, `pkcs11:...` or `transit:https://...` (docs/key-custody.md)."""
    secret: str = "prompt"  # noqa: S105 - where it comes from
    """Where passphrase, PIN or access token comes from: `prompt`, `file:PATH`, `fd:N` or `credential:NAME`."""
    ca_file: Path | None = None
    """CAs (PEM) of a transit server, instead of the machine's."""


class Limits(BaseModel):
    """How much at once."""

    model_config = _Closed
    workers: Annotated[int, Field(ge=4, le=512)] = 48
    streams: Annotated[int, Field(ge=1, le=500)] = 40
    streams_per_party: Annotated[int, Field(ge=1, le=500)] = 32
    bulk_from: Annotated[int, Field(ge=1)] = 100_000
    """Questions of this many subjects and more take a bulk slot."""
    bulk_slots: Annotated[int, Field(ge=1, le=64)] = 1
    live_wait_seconds: Annotated[float, Field(gt=0, le=120)] = 20
    """How long an asker waits for an answerer that answers live; then it was not there."""
    answer_grid_ms: Annotated[int, Field(ge=0, le=1000)] = 5
    """Answers leave on a grid of this width, so that a warm look-up cannot be told from a cold one."""


class Config(BaseModel):
    """The whole file."""

    model_config = _Closed
    origin: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9./-]{2,100}$")]
    """The log's origin line: names this log for ever, such as sluis.example.nl/2026."""
    environment: Environment
    listen: Annotated[str, Field(pattern=r"^[^\s]+:[0-9]{1,5}$")]
    data: Path
    keys: Path
    key_store: KeyStore | None = None
    """None: the files under `keys` lie in the clear, readable by the broker's user only."""
    tls: Tls
    policy: Policy
    parties: dict[str, list[Path]]
    """Party -> its certificates (PEM). A connection must use one of them."""
    signing: dict[str, list[Path]] = {}
    """Party -> the certificates (PEM) that sign its statements, where they are not those it connects with."""
    limits: Limits = Limits()
    witness: Witnessing | None = None
    """Without it nobody but the log's own key vouches for the log."""
    high_water: Path | None = None
    """The high-water file, on another volume than `data`; required in production."""
    time_stamps: TimeStamps | None = None
    """None: checkpoints are not stamped."""
    key_service: KeyServiceRole | None = None
    """None: no key service, and mode `oblivious` is not available at this broker."""

    _source: Path | None = PrivateAttr(default=None)

    @property
    def source(self) -> Path | None:
        """The file it was read from; None when it was not."""
        return self._source

    def read_from(self, path: Path) -> Config:
        """The same, read from `path`."""
        copy = self.model_copy()
        copy.__pydantic_private__ = {"_source": path}
        return copy

    def resolved(self, base: Path) -> Config:
        """The same with paths made absolute against `base`."""
        tls = self.tls.model_copy(
            update={
                "certificate": base / self.tls.certificate,
                "key": base / self.tls.key,
                "client_issuers": [base / path for path in self.tls.client_issuers],
                "revocation_lists": [base / path for path in self.tls.revocation_lists],
            }
        )
        policy = self.policy.model_copy(update={"bundle": base / self.policy.bundle})
        parties = {party: [base / path for path in paths] for party, paths in self.parties.items()}
        update: dict[str, object] = {"data": base / self.data, "keys": base / self.keys, "tls": tls}
        signing = {party: [base / path for path in paths] for party, paths in self.signing.items()}
        update |= {"policy": policy, "parties": parties, "signing": signing}
        if self.witness is not None and self.witness.ca_file is not None:
            update["witness"] = self.witness.model_copy(update={"ca_file": base / self.witness.ca_file})
        if self.key_store is not None and self.key_store.ca_file is not None:
            update["key_store"] = self.key_store.model_copy(update={"ca_file": base / self.key_store.ca_file})
        if self.high_water is not None:
            update["high_water"] = base / self.high_water
        if self.time_stamps is not None:
            paths = [base / path for path in self.time_stamps.certificates]
            update["time_stamps"] = self.time_stamps.model_copy(update={"certificates": paths})
        return self.model_copy(update=update)


def load_config(path: Path) -> Config:
    """Reads `path`. Raises CONFIG_INVALID with file, line and what to change."""
    try:
        text = path.read_text(encoding="utf-8")
    except IsADirectoryError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: is a directory; name the file in it with --config") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SluisError(
            Code.CONFIG_INVALID, f"{path}: cannot be read; make one with `sluis init` or name another with --config"
        ) from error
    document, problems = read_yaml(text, str(path))
    if document is None:
        raise SluisError(Code.CONFIG_INVALID, str(problems[0]))
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        # A misspelt key makes another one missing: the misspelling is the cause, so it is told first.
        found = error.errors()
        first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
        where = tuple(part for part in first["loc"] if isinstance(part, str | int))
        shown = ".".join(str(part) for part in where)
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = f"; {did_you_mean(str(where[-1]), _known_keys(where))}"
        said = _PLAIN.get(str(where[0] if len(where) == 1 else where[1]), "") if "pattern" in first["type"] else ""
        if first["type"] == "extra_forbidden":
            said = "is not a known setting"
        text = f"{path}:{document.line(where)}: {shown}: {said or first['msg']}{hint}"
        raise SluisError(Code.CONFIG_INVALID, text) from error
    if int(config.listen.rpartition(":")[2]) > 65_535:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: listen: a port is 0 to 65535")
    for party in config.parties:
        try:
            check_party_name(party, f"parties.{party}")
        except SluisError as error:
            line = document.line(("parties", party))
            raise SluisError(Code.CONFIG_INVALID, f"{path}:{line}: {error.message}") from error
    _check_policy(config, document, path)
    _check_key_store(config, document, path)
    if config.environment is Environment.PRODUCTION and config.high_water is None:
        text = f"{path}: high_water is missing: production keeps a high-water file, on another volume than data"
        raise SluisError(Code.CONFIG_INVALID, text)
    if config.witness is not None:
        _check_witness(config.witness, document, path)
    for party in config.signing:
        if party not in config.parties or not config.signing[party]:
            line = document.line(("signing", party))
            text = f"{path}:{line}: signing.{party}: name a party of `parties`, with at least one certificate"
            raise SluisError(Code.CONFIG_INVALID, text)
    return config.resolved(path.resolve().parent).read_from(path.resolve())


def reread_parties(config: Config) -> Config:
    """The same with certificates and revocation lists as the file names them now. Raises CONFIG_INVALID."""
    if config.source is None:
        return config
    fresh = load_config(config.source)
    tls = config.tls.model_copy(update={"revocation_lists": fresh.tls.revocation_lists})
    return config.model_copy(update={"parties": fresh.parties, "signing": fresh.signing, "tls": tls})


def _check_policy(config: Config, document: YamlFile, path: Path) -> None:
    """Signatures and approvals: what production demands, and as many signers as the quorum needs."""
    quorum = f"{path}:{document.line(('policy', 'quorum'))}: policy.quorum"
    if config.environment is Environment.PRODUCTION and config.policy.quorum < 2:
        text = f"{quorum} must be at least 2 in production: unsigned policies are refused"
        raise SluisError(Code.CONFIG_INVALID, text)
    if config.environment is Environment.PRODUCTION and config.policy.unsafe_skip_approvals:
        line = document.line(("policy", "unsafe_skip_approvals"))
        text = f"{path}:{line}: policy.unsafe_skip_approvals is for trials; production takes approved purposes only"
        raise SluisError(Code.CONFIG_INVALID, text)
    if config.policy.quorum > len(set(config.policy.signers)):
        text = f"{quorum} asks for {config.policy.quorum} signatures, more than there are policy.signers"
        text += ": list the public key of each signer there, 64 hex digits"
        raise SluisError(Code.CONFIG_INVALID, text)


def _check_key_store(config: Config, document: YamlFile, path: Path) -> None:
    if config.key_store is None:
        return
    for name, check in (
        ("by", lambda: check_protection(config.key_store.by)),
        ("secret", lambda: secret_source(config.key_store.secret, path.parent)),
    ):
        try:
            check()
        except CustodyError as error:
            where = f"{path}:{document.line(('key_store', name))}: key_store.{name}"
            raise SluisError(Code.CONFIG_INVALID, f"{where}: {error.text}") from None


def _check_witness(witness: Witnessing, document: YamlFile, path: Path) -> None:
    """Keys and addresses that can be used, and as many different keys as the quorum needs."""
    seen: set[bytes] = set()
    for at, one in enumerate(witness.witnesses):
        line = document.line(("witness", "witnesses", at))
        where = f"{path}:{line}: witness.witnesses.{at}"
        try:
            check_url(one.url)
            key = parse_witness_key(one.verifier_key).public_key
        except SluisError as error:
            raise SluisError(Code.CONFIG_INVALID, f"{where}: {error.message}") from error
        if key in seen:
            raise SluisError(Code.CONFIG_INVALID, f"{where}: one witness counts once; this key stands above already")
        seen.add(key)
    if witness.quorum > len(seen):
        line = document.line(("witness", "quorum"))
        text = f"{path}:{line}: witness.quorum asks for {witness.quorum} witnesses, more than there are"
        raise SluisError(Code.CONFIG_INVALID, text)


def _known_keys(where: tuple[str | int, ...]) -> list[str]:
    inner: dict[str, type[BaseModel]] = {"tls": Tls, "policy": Policy, "limits": Limits, "witness": Witnessing}
    inner |= {"time_stamps": TimeStamps, "key_service": KeyServiceRole, "key_store": KeyStore}
    if where[0] == "witness" and len(where) > 2:
        return list(WitnessAddress.model_fields)
    return list((inner.get(str(where[0]), Config) if len(where) > 1 else Config).model_fields)
