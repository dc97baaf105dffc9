"""Two key services as processes of their own, at two operators, and the operator's commands beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import grpc
import pytest
from evaluated import FILE, PURPOSE, pinned
from evaluating import OTHER, OWN, Blinded, Evaluates, operators, other_of, sluis, verified_twice, write_configurations
from participant import reason_of
from world import ROOT, texts_for

from broker.cli.key_service import TEMPLATE, _purposes
from broker.config import load_config

pytestmark = pytest.mark.slow


def test_two_operators_end_to_end(tmp_path):
    now = datetime.now(UTC)
    epoch = f"{now:%Y-%m}"
    world = write_configurations(tmp_path, now)
    other = other_of(world)
    configs = {OWN: tmp_path / "broker.yaml", OTHER: tmp_path / OTHER / "key-service.yaml"}
    make = ("key-service", "key", "make", "--config", configs[OWN], "--purpose")
    assert "snf-locatie is in mode keyed, without key services" in sluis(*make, "snf-locatie", "--epoch", epoch, code=3)
    assert "counts by the month" in sluis(*make, PURPOSE, "--epoch", "2026Q4", code=3)
    pins: dict[str, str] = {}
    for name, config in configs.items():
        line = sluis("key-service", "key", "make", "--purpose", PURPOSE, "--epoch", epoch, "--config", config)
        assert line.startswith(f"{epoch}: {{{name}: ")
        pins[name] = line.split(": ")[2].strip("}\n")
    texts = pinned(texts_for(now), {epoch: pins}, limit=20)
    assert "state: active" in texts[FILE]
    world.write_bundle(texts, 2)
    (tmp_path / OTHER / "policy.bundle").write_bytes((tmp_path / "policy.bundle").read_bytes())
    listed = json.loads(sluis("key-service", "key", "list", "--json", "--config", configs[OTHER]))
    assert [(one["purpose"], one["policy"]) for one in listed] == [(PURPOSE, "pinned")]
    assert "is a key service and no broker" in sluis("serve", "--config", configs[OTHER], code=3)
    assert "alone: true" in sluis("key-service", "serve", "--config", configs[OWN], code=3)
    with operators(world, other) as running:
        blinded = {name: Blinded([b"one", b"two"]) for name in configs}
        askers = {OWN: Evaluates(world, "nla"), OTHER: Evaluates(other, "nla")}
        outputs = {
            name: blinded[name].finalize(
                askers[name].evaluate(blinded[name].elements, epoch=epoch), bytes.fromhex(pins[name])
            )
            for name in configs
        }
        assert outputs[OWN] != outputs[OTHER]
        assert "ok  key service: oost, 1 keys, of which the policy set pins 1\n" in sluis(
            "doctor", "--config", configs[OTHER]
        )
        named = ("--purpose", PURPOSE, "--epoch", epoch, "--config", configs[OTHER])
        assert "ERASURE_TOO_SOON: the key is needed until" in sluis("key-service", "key", "destroy", *named, code=3)
        sluis("key-service", "key", "destroy", *named, "--now", code=2)
        said = sluis("key-service", "key", "destroy", *named, "--now", "--reason", "a trial")
        assert said.startswith(f"destroyed {pins[OTHER]}")
        with pytest.raises(grpc.RpcError) as caught:
            askers[OTHER].evaluate(blinded[OTHER].elements, epoch=epoch)
        assert reason_of(caught.value) == "SERVICE_KEY_WRONG"
        running.kill_and_restart_service()
        assert "no keys" in sluis("key-service", "key", "list", "--config", configs[OTHER])
    bundles = {name: verified_twice(config) for name, config in configs.items()}
    shown = " ".join(sluis("audit", "show", bundles[OTHER]).split())
    assert f"{PURPOSE}: 2 evaluated, 2 in {epoch}" in shown
    assert f"{PURPOSE}: key of oost for {epoch} destroyed at once: a trial" in shown


def test_the_example_is_what_init_writes_and_can_be_read(tmp_path, capsys):
    sluis("key-service", "init", tmp_path)
    written = tmp_path / "key-service.yaml"
    assert written.read_text() == TEMPLATE == (ROOT / "deploy" / "key-service" / "key-service.yaml").read_text()
    assert "left as it is" in sluis("key-service", "init", tmp_path, code=3)
    text = TEMPLATE.replace("signers: []", f"signers: [{'ab' * 32}, {'cd' * 32}]")
    written.write_text(text)
    assert _purposes(load_config(written)) is None
    said = capsys.readouterr().err
    assert said.startswith("no policy set lies here yet")  # no error: keys come before the set that pins them
    role = load_config(written).key_service
    assert role is not None
    assert role.alone
