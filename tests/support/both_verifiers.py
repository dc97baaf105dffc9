"""The log of a world, judged by both verifiers: `sluis audit verify` and the one file that auditors may bring."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from world import ROOT, World

from broker.audit.export import bundle_lines
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.own_log import open_log
from broker.trust_making import trust_of


@functools.cache
def one_file() -> ModuleType:
    """clients/auditor/sluis_verify.py as a module."""
    spec = importlib.util.spec_from_file_location("sluis_verify", ROOT / "clients" / "auditor" / "sluis_verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sluis_verify"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def verified_by_both(world: World) -> Path:
    """The whole log as `log.bundle` in the world's folder, beside its `trust.yaml`, once both verifiers took it."""
    lines, trust = list(bundle_lines(open_log(world.config))), trust_of(world.config)
    report = verify(lines, parse_trust(trust))
    assert report.verified, report.findings
    run = one_file().Verification(one_file().read_trust(trust), None, None)
    run.run(lines)
    assert run.findings == []
    (world.directory / "trust.yaml").write_text(trust)
    (bundle := world.directory / "log.bundle").write_bytes(b"".join(lines))
    return bundle
