"""witness.yaml: the configuration of one witness, read strictly. Paths are relative to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey, parse_verifier_key
from broker.policy.problems import did_you_mean
from broker.policy.strict_yaml import read_yaml

_Closed = ConfigDict(extra="forbid", frozen=True)


class WitnessTls(BaseModel):
    """The witness's own certificate, where no proxy in front of it has one."""

    model_config = _Closed
    certificate: Path
    key: Path


class WitnessSettings(BaseModel):
    """The whole file."""

    model_config = _Closed
    listen: Annotated[str, Field(pattern=r"^[^\s]+:[0-9]{1,5}$")]
    """Address and port."""
    state: Path
    """Directory with the witness's key and what it cosigned."""
    logs: Annotated[list[str], Field(min_length=1, max_length=1000)]
    """Verifier keys of the logs to watch; a log may have several, each begins with its origin."""
    tls: WitnessTls | None = None

    @property
    def keys(self) -> dict[str, list[VerifierKey]]:
        """The logs' keys by origin."""
        found: dict[str, list[VerifierKey]] = {}
        for text in self.logs:
            key = parse_verifier_key(text)
            found.setdefault(key.name, []).append(key)
        return found


def load_settings(path: Path) -> WitnessSettings:
    """Reads `path`. Raises CONFIG_INVALID with file, line and what to change."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        text = f"{path}: cannot be read; see deploy/witness/witness.yaml for an example, or name another with --config"
        raise SluisError(Code.CONFIG_INVALID, text) from error
    document, problems = read_yaml(text, str(path))
    if document is None:
        raise SluisError(Code.CONFIG_INVALID, str(problems[0]))
    try:
        settings = WitnessSettings.model_validate(document.value)
    except ValidationError as error:
        found = error.errors()
        first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
        where = tuple(part for part in first["loc"] if isinstance(part, str | int))
        said = first["msg"]
        if first["type"] == "extra_forbidden":
            model = WitnessTls if len(where) > 1 else WitnessSettings
            said = f"is not a known setting; {did_you_mean(str(where[-1]), list(model.model_fields))}"
        shown = ".".join(map(str, where))
        raise SluisError(Code.CONFIG_INVALID, f"{path}:{document.line(where)}: {shown}: {said}") from error
    for at, log in enumerate(settings.logs):
        try:
            parse_verifier_key(log)
        except SluisError as error:
            line = document.line(("logs", at))
            raise SluisError(Code.CONFIG_INVALID, f"{path}:{line}: logs.{at}: {error.message}") from error
    base = path.resolve().parent
    tls = settings.tls
    if tls is not None:
        tls = WitnessTls(certificate=base / tls.certificate, key=base / tls.key)
    return settings.model_copy(update={"state": base / settings.state, "tls": tls})
